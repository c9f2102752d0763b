"""Makes the tables and the data, and prints a token and ids as JSON."""
import json

from django.contrib.auth.models import User
from django.core.management import BaseCommand, call_command
from django.db import connection
from rest_framework.authtoken.models import Token

from ...models import Customer, Member, Organization, TeamMember


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("count", type=int)

    def handle(self, count, **_):
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION pg_trgm")
        call_command("migrate", "auth", verbosity=0)  # whose tables those of this application refer to
        call_command("migrate", run_syncdb=True, verbosity=0)
        organization = Organization.objects.create(name="Bench", slug="bench")
        owner = User.objects.create(username="owner@example.com", email="owner@example.com")
        TeamMember.objects.create(organization=organization, user=owner, role="owner")
        team = Customer.objects.create(organization=organization, email="team@example.com", name="Team")
        numbers = range(1, count + 1)
        person = {i: {"email": f"person-{i}@example.com", "name": f"Person {i}"} for i in numbers}
        Customer.objects.bulk_create([Customer(organization=organization, **person[i]) for i in numbers], 1000)
        members = [Member(customer=team, external_id=f"ext-{i}", **person[i]) for i in numbers]
        Member.objects.bulk_create(members, 1000)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        token = Token.objects.create(user=owner)
        made = {"token": token.key, "organization": str(organization.id), "customer": str(team.id)}
        self.stdout.write(json.dumps(made))
