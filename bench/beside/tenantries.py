"""Tenantry on both engines, with its data and its requests."""
import json

from contenders import PERSON, ROWS, Contender, Pgbench, sample
from machine import first_line
from servers import Process, run
from wrk import Plan, Request, ask_json, send_all


class Tenantry(Contender):
    """Tenantry with its limits of callers switched off."""
    # A team has at most 1,000 people, so the people of add_account_member are added to several teams.
    TEAMS = 200

    def start(self):
        key = self.folder / "secret.key"
        run(self.around.tenantry, "key", "generate", key)
        self.on = ["--database", self.database(), "--secret-key-file", key]
        run(self.around.tenantry, "migrate", *self.on)
        self.organization, self.headers = self.make_organization("bench")
        self.serve()
        self.fill()
        self.request_all(sample(), "ext-{v}")

    def database(self):
        raise NotImplementedError

    def make_organization(self, slug):
        """The id of a new organization and the headers for a token of it."""
        features = ["--feature", "member_model_enabled", "--feature", "seat_based_pricing_enabled"]
        command = [self.around.tenantry, "organization", "create", "--name", slug, "--slug", slug, *features]
        organization = json.loads(run(*command, "--json", *self.on))["id"]
        command = [self.around.tenantry, "token", "create", "--organization", slug, "--all-scopes"]
        token = json.loads(run(*command, "--json", *self.on))["token"]
        return organization, {"Authorization": f"Bearer {token}"}

    def make_sub_account(self, number):
        """The id of a new sub-account and the headers for a key of it."""
        path = f"/v2/accounts/{self.organization}/sub-accounts"
        account = self.ask("POST", path, f'{{"name":"Team {number}","website":"team-{number}.example.com"}}')["id"]
        body = '{"label":"bench","scopes":["accounts:members:add"]}'
        key = self.ask("POST", f"{path}/{account}/api-keys", body)["secret_key"]
        return account, {"Authorization": f"Bearer {key}"}

    def serve(self, *options):
        limits = options or ("--rate-limit", "off")
        command = [self.around.tenantry, "serve", "--listen", f"127.0.0.1:{self.port}", *self.on]
        self.process = Process(
            self.folder / "log", *command, "--bootstrap", "false", "--log-level", "warn", *limits
        )
        self.process.wait_for(self.port, "/readyz")

    def ask(self, method, path, body=""):
        return ask_json(self.port, Request(method, path, body, self.headers))

    def make_customer(self):
        """The id of a new team customer."""
        team = '{"type":"team","email":"team@example.com","external_id":"team"}'
        return self.ask("POST", "/v1/customers/", team)["id"]

    def fill(self):
        """Creates the team customer, its members, other customers and the other teams."""
        self.customer = self.make_customer()
        for path, further in (("/v1/customers/", {}), ("/v1/members/", {"customer_id": self.customer})):
            people = (
                {"email": f"person-{i}@example.com", "name": f"Person {i}", "external_id": f"ext-{i}"}
                for i in range(1, ROWS + 1)
            )
            send_all(self.port, [Request("POST", path, json.dumps(one | further), self.headers) for one in people])
        self.teams = [self.make_sub_account(number) for number in range(self.TEAMS)]

    def request_all(self, numbers, external_id):
        """Plans the requests of all scenarios, for the members whose external ids have these numbers."""
        numbered = {"headers": self.headers, "values": numbers}
        by_external_id = Request("GET", f"/v1/customers/external/team/members/{external_id}", **numbered)
        ids = self.ids(by_external_id)
        body = json.dumps(PERSON | {"customer_id": self.customer})
        create = Request("POST", "/v1/members/", body, self.headers)
        key = {"Idempotency-Key": "{n}"}
        keyed = Request("POST", "/v1/members/", body.replace("new-", "keyed-"), self.headers | key)
        organization = f"/v1/organizations/{self.organization}"
        self.plan("token_check", Request("GET", "/v2/ping", headers=self.headers))
        self.plan("get_by_id", Request("GET", "/v1/members/{v}", headers=self.headers, values=ids))
        self.plan("get_by_external_id", by_external_id)
        self.plan("list", Request("GET", f"/v1/members/?customer_id={self.customer}&limit=10", headers=self.headers))
        search = "/v1/customers/?query=son-{v}&limit=10"
        self.plan("search", Request("GET", search, headers=self.headers, values=sample()))
        self.plan("create", create)
        self.plan("create_with_key", keyed)
        self.plan("patch_organization", Request("PATCH", organization, '{"name":"Bench {n}"}', self.headers))
        colleague = '{"email":"colleague-{n}@example.com","role":"Developer"}'
        teams = [Request("POST", f"/v2/accounts/{team}/members", colleague, headers) for team, headers in self.teams]
        self.plans["add_account_member"] = Plan(self.port, teams, range(self.TEAMS))

    def add_members(self, count):
        """Adds members to the database while the server is stopped, and starts it again."""
        self.process.stop()
        self.insert_members(count)
        numbers = {name: plan.number for name, plan in self.plans.items()}
        self.serve()
        self.request_all(sample(count), "preloaded-{v}")
        self.plans["mixed"] = self.mixed()
        for name, number in numbers.items():
            self.plans[name].number = number

    def insert_members(self, count):
        raise NotImplementedError

    def version(self):
        return first_line(self.around.tenantry, "--version")


class TenantrySqlite(Tenantry):
    name = "Tenantry, SQLite"
    uses_postgres = False

    def database(self):
        return f"sqlite:{self.folder / 'tenantry.db'}"

    def insert_members(self, count):
        run(self.around.reference, "preload", self.folder / "tenantry.db", count, seconds=900)


class TenantryPostgres(Tenantry):
    name = "Tenantry, PostgreSQL"

    def database(self):
        return self.around.postgres.database("tenantry")

    def insert_members(self, count):
        """As src/preload.rs does it on SQLite. The indexes are built afterwards, which is faster."""
        of = f"organization_id = '{self.organization}' AND customer_id = '{self.customer}'"
        sql = self.around.postgres.sql
        where = "FROM pg_indexes WHERE tablename = 'members' AND indexname <> 'members_pkey'"
        indexes = sql("tenantry", f"SELECT indexdef {where}").splitlines()
        dropped = sql("tenantry", f"SELECT 'DROP INDEX ' || indexname {where}").splitlines()
        earlier = "lpad(to_hex(('x' || substr(hex, 1, 12))::bit(48)::bigint - i), 12, '0') || substr(hex, 13)"
        insert = f"""
            INSERT INTO members (organization_id, id, customer_id, created_at, email, email_key, external_id, role,
                is_of_individual)
            SELECT organization_id, ({earlier})::uuid, customer_id, created_at,
                address, address, 'preloaded-' || i, role, is_of_individual
            FROM (SELECT *, replace(id::text, '-', '') AS hex FROM members
                  WHERE {of} AND role = 'member' ORDER BY id LIMIT 1) AS oldest,
                generate_series(1, {count}) AS i, concat('preloaded-', i, '@example.com') AS address"""
        counters = f"""
            UPDATE row_counters SET row_count = row_count + {count} WHERE bucket = 0
            AND organization_id = '{self.organization}'
            AND (counter = 'members' OR counter = 'customer_members' AND subject_id = '{self.customer}')"""
        sql("tenantry", *dropped, insert, *indexes, counters, "VACUUM ANALYZE members")


class Tables(TenantryPostgres):
    """The tables of Tenantry on PostgreSQL, with one organization and one customer."""

    def database(self):
        return self.around.postgres.database("statements")

    def fill(self):
        self.customer = self.make_customer()

    def request_all(self, numbers, external_id):
        pass  # pgbench alone uses the tables


class PgbenchStatements(Pgbench):
    """The statements of Tenantry's `create` in Tenantry's tables, sent by pgbench in two flights."""
    name = "pgbench, statements of Tenantry"
    DATABASE = "statements"
    CREATE = """\\set n random(1, 9000000000000000)
\\set bucket :client_id % 16
\\startpipeline
BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT organization_id, id, created_at, modified_at, deleted_at, kind, email, email_verified, name, external_id,
    metadata, billing, locale, email_key,
    CASE WHEN email IS NULL THEN (SELECT email FROM members WHERE organization_id = '{organization}'
        AND customer_id = customers.id AND role = 'owner' AND deleted_at IS NULL) END
    FROM customers WHERE organization_id = '{organization}' AND id = '{customer}' AND deleted_at IS NULL
    FOR KEY SHARE;
SELECT m.organization_id, m.id, m.customer_id, m.created_at, m.modified_at, m.email, m.name, m.external_id, m.role,
    m.email_key, o.members_enabled, EXISTS (SELECT 1 FROM members AS e WHERE e.organization_id = '{organization}'
        AND e.customer_id = '{customer}' AND e.external_id = 'new-' || :n AND e.deleted_at IS NULL
        AND e.external_id IS NOT NULL)
    FROM organizations AS o LEFT JOIN members AS m ON m.organization_id = '{organization}'
        AND m.customer_id = '{customer}' AND m.email_key = 'new-' || :n AND m.deleted_at IS NULL
    WHERE o.id = '{organization}' AND o.deleted_at IS NULL;
SELECT id, events FROM webhook_endpoints WHERE organization_id = '{organization}' AND deleted_at IS NULL AND enabled
    ORDER BY id;
\\endpipeline
\\startpipeline
INSERT INTO members (organization_id, id, customer_id, created_at, modified_at, email, email_key, name, external_id,
    role, is_of_individual) VALUES ('{organization}', {id}, '{customer}', 1796059443802922, NULL,
    'new-' || :n || '@example.com', 'new-' || :n || '@example.com', 'A person', 'new-' || :n, 'member', false);
INSERT INTO row_counters (organization_id, counter, subject_id, bucket, row_count)
    VALUES ('{organization}', 'members', '{organization}', :bucket, 1),
        ('{organization}', 'customer_members', '{customer}', :bucket, 1)
    ON CONFLICT (organization_id, counter, subject_id, bucket)
    DO UPDATE SET row_count = row_counters.row_count + excluded.row_count;
INSERT INTO audit_entries (organization_id, id, created_at, actor_kind, actor_id, action, subject_id, before, after,
    request_id) VALUES ('{organization}', {id}, 1796059443802922, 'access_token', '{customer}', 'member.created',
    {id}, NULL, repeat('x', 290), 'req_66181ad0802000000002');
COMMIT;
\\endpipeline
"""

    def start(self):
        tables = Tables(self.around)
        tables.folder = self.folder
        tables.start()
        tables.stop()
        self.process = self.around.postgres.process
        self.around.postgres.sql(self.DATABASE, "VACUUM ANALYZE")
        ids = {"organization": tables.organization, "customer": tables.customer, "id": self.ID}
        (self.folder / "create").write_text(self.CREATE.format(**ids))
        self.plans["create"] = "create"


TENANTRIES = (TenantrySqlite, TenantryPostgres)
