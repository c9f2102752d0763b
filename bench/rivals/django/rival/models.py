"""Organizations with a team and customers, and customers with members."""
import uuid

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Lower, Upper


class Row(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = models.DateTimeField(auto_now_add=True)
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Organization(Row):
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)


class TeamMember(Row):
    organization = models.ForeignKey(Organization, models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    role = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="one_role")]


class Customer(Row):
    organization = models.ForeignKey(Organization, models.CASCADE)
    email = models.EmailField()
    name = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint("organization", Lower("email"), name="customer_email")]
        indexes = [
            GinIndex(OpClass(Upper("email"), "gin_trgm_ops"), OpClass(Upper("name"), "gin_trgm_ops"), name="search")
        ]


class Member(Row):
    customer = models.ForeignKey(Customer, models.CASCADE)
    email = models.EmailField()
    name = models.CharField(max_length=100, null=True)
    external_id = models.CharField(max_length=100, null=True)
    role = models.CharField(max_length=20, default="member")

    class Meta:
        constraints = [
            models.UniqueConstraint("customer", Lower("email"), name="member_email"),
            models.UniqueConstraint(fields=["customer", "external_id"], name="member_external_id"),
        ]
        indexes = [models.Index(fields=["customer", "-created_at", "id"], name="member_list")]
