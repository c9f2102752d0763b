"""The rivals, with their data and their requests. Their own files are in bench/rivals."""
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlencode

from contenders import PERSON, ROWS, Contender, sample
from machine import first_line
from servers import Postgres, Process, run
from wrk import Request, ask_json

RIVALS = Path(__file__).parent.parent / "rivals"


class BetterAuth(Contender):
    """better-auth with its organization plugin on Node.js, one process for each processor."""
    name = "better-auth"

    def start(self):
        program = installed(self.around, "better-auth", ["npm", "ci", "--silent", "--no-audit", "--no-fund"])
        database = self.around.postgres.database("better-auth")
        command = ["node", program / "server.mjs"]
        made = json.loads(run(*command, "setup", database, ROWS))
        environment = os.environ | {"NODE_ENV": "production"}
        self.process = Process(self.folder / "log", *command, "serve", database, self.port, env=environment)
        self.process.wait_for(self.port, "/api/auth/ok")
        headers = {"Authorization": "Bearer " + made["token"]}
        organization = made["organization"]
        members = f"/api/auth/organization/list-members?organizationId={organization}&limit="
        users = "/api/auth/admin/list-users?searchField=email&searchOperator=contains&limit=10&searchValue=son-{v}"
        one = {"headers": headers, "values": sample()}
        self.plan("token_check", Request("GET", "/api/auth/get-session", headers=headers))
        self.plan("get_by_id", Request("GET", members + "1&filterField=id&filterValue=member-{v}", **one))
        self.plan("get_by_external_id", Request("GET", members + "1&filterField=externalId&filterValue=ext-{v}", **one))
        self.plan("list", Request("GET", members + "10", headers=headers))
        self.plan("search", Request("GET", users, **one))
        body = json.dumps(PERSON | {"organizationId": organization})
        self.plan("create", Request("POST", "/members", body, headers))
        body = {"organizationId": organization, "data": {"name": "Bench {n}"}}
        self.plan("patch_organization", Request("POST", "/api/auth/organization/update", json.dumps(body), headers))

    def version(self):
        lock = json.loads((RIVALS / "better-auth/package-lock.json").read_text())
        version = lock["packages"]["node_modules/better-auth"]["version"]
        return f"{version}, Node.js {first_line('node', '--version')}"


class Django(Contender):
    """Django with REST framework under gunicorn, with its token authentication."""
    name = "Django REST framework"
    PROCESSES, THREADS = 2 * (os.cpu_count() or 1) + 1, 4

    def start(self):
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "-r", "requirements.txt"]
        environment = [sys.executable, "-m", "venv", "venv"]
        program = installed(self.around, "django", environment, ["venv/bin/pip", "install", *options])
        binaries = program / "venv/bin"
        self.around.postgres.database("django")
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "rival.settings", "RIVAL_DATABASE": "django",
            "RIVAL_USER": Postgres.USER, "RIVAL_PORT": str(self.around.postgres.port),
        }
        made = json.loads(run(binaries / "python", "-m", "django", "setup", ROWS, cwd=program, env=environment))
        workers = ["--workers", self.PROCESSES, "--worker-class", "gthread", "--threads", self.THREADS]
        serve = ["--bind", f"127.0.0.1:{self.port}", "--keep-alive", 75, "--log-level", "warning"]
        command = [binaries / "gunicorn", *workers, *serve, "rival.wsgi"]
        self.process = Process(self.folder / "log", *command, cwd=program, env=environment)
        self.process.wait_for(self.port, "/ping/")
        headers = {"Authorization": "Token " + made["token"]}
        one = {"headers": headers, "values": sample()}
        by_external_id = Request("GET", f"/members/external/ext-{{v}}/?customer={made['customer']}", **one)
        create = PERSON | {"customer": made["customer"]}
        organization = f"/organizations/{made['organization']}/"
        self.plan("token_check", Request("GET", "/ping/", headers=headers))
        self.plan("get_by_id", Request("GET", "/members/{v}/", headers=headers, values=self.ids(by_external_id)))
        self.plan("get_by_external_id", by_external_id)
        self.plan("list", Request("GET", f"/members/?customer={made['customer']}&limit=10", headers=headers))
        self.plan("search", Request("GET", "/customers/?search=son-{v}&limit=10", **one))
        self.plan("create", Request("POST", "/members/", json.dumps(create), headers))
        self.plan("patch_organization", Request("PATCH", organization, '{"name":"Bench {n}"}', headers))
        colleague = '{"email":"colleague-{n}@example.com"}'
        self.plan("add_account_member", Request("POST", organization + "members/", colleague, headers))

    def version(self):
        pinned = re.findall(r"^(\w+)==(\S+)", (RIVALS / "django/requirements.txt").read_text(), re.MULTILINE)
        versions = {name: version for name, version in pinned}
        named = ("django", "djangorestframework", "gunicorn")
        return ", ".join(f"{name} {versions[name]}" for name in named) + f", Python {sys.version.split()[0]}"


class Keycloak(Contender):
    """Keycloak with organizations, as one production node."""
    name = "Keycloak"
    REALM = "/admin/realms/bench"
    # Users outside of the organization during a run of add_account_member, which adds each once.
    OTHERS = 30_000
    warm_up = 6  # Java compiles what is used often
    ADMIN = {"username": "admin", "password": "a password of the benchmark"}

    def start(self):
        home = self.install()
        database = self.around.postgres.database("keycloak")
        environment = os.environ | {
            "KC_BOOTSTRAP_ADMIN_USERNAME": self.ADMIN["username"],
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self.ADMIN["password"],
            "KC_DB_URL": database.replace(f"postgres://{Postgres.USER}@", "jdbc:postgresql://"),
            "KC_DB_USERNAME": Postgres.USER, "KC_DB_PASSWORD": "none", "JAVA_OPTS_KC_HEAP": "-Xms512m -Xmx2g",
        }
        serve = ["--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={self.port}", "--cache=local"]
        command = [home / "bin/kc.sh", "start", "--optimized", "--hostname-strict=false", "--log-level=warn", *serve]
        self.process = Process(self.folder / "log", *command, env=environment)
        self.process.wait_for(self.port, "/realms/master")
        self.fill()

    def install(self):
        copy = ["mvn", "--quiet", "--batch-mode", "-Dfolder=.", "dependency:copy"]
        program = installed(self.around, "keycloak", copy)
        home = program / f"keycloak-{self.release()}"
        if not (home / "built").exists():
            run("tar", "-xzf", f"keycloak-quarkus-dist-{self.release()}.tar.gz", cwd=program)
            run(home / "bin/kc.sh", "build", "--db=postgres", "--cache=local", seconds=1800)
            (home / "built").touch()
        return home

    def token(self, realm, **form):
        path = f"/realms/{realm}/protocol/openid-connect/token"
        request = Request("POST", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        return {"Authorization": "Bearer " + ask_json(self.port, request)["access_token"]}

    def fill(self):
        admin = self.token("master", grant_type="password", client_id="admin-cli", **self.ADMIN)
        ask_json(self.port, Request("POST", "/admin/realms", json.dumps(self.realm()), admin))
        profile = ask_json(self.port, Request("GET", f"{self.REALM}/users/profile", headers=admin))
        profile["unmanagedAttributePolicy"] = "ENABLED"
        ask_json(self.port, Request("PUT", f"{self.REALM}/users/profile", json.dumps(profile), admin))
        organization = {"name": "Bench", "alias": "bench", "domains": [{"name": "example.com"}]}
        ask_json(self.port, Request("POST", f"{self.REALM}/organizations", json.dumps(organization), admin))
        [found] = ask_json(self.port, Request("GET", f"{self.REALM}/organizations?search=bench", headers=admin))
        self.insert_users("person-", 1, ROWS)
        self.insert_memberships()
        service = {"grant_type": "client_credentials", "client_id": "bench", "client_secret": "secret"}
        self.request_all(found["id"], organization, self.token("bench", scope="openid", **service))

    @staticmethod
    def realm():
        account = {
            "username": "service-account-bench", "enabled": True, "serviceAccountClientId": "bench",
            "clientRoles": {"realm-management": ["realm-admin"]},
        }
        client = {
            "clientId": "bench", "secret": "secret", "serviceAccountsEnabled": True, "standardFlowEnabled": False,
            "attributes": {"access.token.lifespan": "36000"},
        }
        return {
            "realm": "bench", "enabled": True, "organizationsEnabled": True, "clients": [client], "users": [account],
            "accessTokenLifespan": 36000, "ssoSessionMaxLifespan": 36000, "ssoSessionIdleTimeout": 36000,
        }

    def insert_users(self, word, first, last):
        """Inserts users that have the word and a number as their names and ids."""
        people = f"""
            INSERT INTO user_entity (id, username, email, email_constraint, email_verified, enabled, first_name,
                realm_id, created_timestamp, not_before)
            SELECT name, name, address, address, false, true, 'Person',
                (SELECT id FROM realm WHERE name = 'bench'), 0, 0
            FROM generate_series({first}, {last}) AS i, concat('{word}', i) AS name,
                concat(name, '@example.com') AS address"""
        self.around.postgres.sql("keycloak", people)

    def insert_memberships(self):
        attributes = """
            INSERT INTO user_attribute (id, name, value, user_id)
            SELECT id, 'external_id', replace(id, 'person-', 'ext-'), id FROM user_entity WHERE id LIKE 'person-%'"""
        memberships = """
            INSERT INTO user_group_membership (group_id, user_id, membership_type)
            SELECT org.group_id, user_entity.id, 'UNMANAGED' FROM org, user_entity
            WHERE user_entity.id LIKE 'person-%'"""
        self.around.postgres.sql("keycloak", attributes, memberships, "VACUUM ANALYZE")

    def measure(self, scenario, connections, seconds, check=False):
        if scenario != "add_account_member":
            return super().measure(scenario, connections, seconds, check)
        plan = self.plans[scenario]
        last = plan.number + self.OTHERS
        self.insert_users("other-", plan.number + 1, last)
        try:
            return super().measure(scenario, connections, seconds, check)
        finally:  # the other scenarios list and search among the users
            rest = f"SELECT 'other-' || i FROM generate_series({plan.number + 1}, {last}) AS i"
            delete = f"DELETE FROM user_entity WHERE id IN ({rest})"
            self.around.postgres.sql("keycloak", delete, "VACUUM ANALYZE user_entity")

    def request_all(self, organization, representation, headers):
        members = f"{self.REALM}/organizations/{organization}/members"
        one = {"headers": headers, "values": sample()}
        self.plan("token_check", Request("GET", "/realms/bench/protocol/openid-connect/userinfo", headers=headers))
        self.plan("get_by_id", Request("GET", members + "/person-{v}", **one))
        self.plan("get_by_external_id", Request("GET", f"{self.REALM}/users?q=external_id:ext-{{v}}", **one))
        self.plan("list", Request("GET", f"{members}?first=0&max=10", headers=headers))
        self.plan("search", Request("GET", f"{members}?search=son-{{v}}&max=10", **one))
        person = {
            "username": "new-{n}", "email": PERSON["email"], "firstName": PERSON["name"], "enabled": True,
            "attributes": {"external_id": [PERSON["external_id"]]},
        }
        self.plan("create", Request("POST", f"{self.REALM}/users", json.dumps(person), headers))
        renamed = json.dumps(representation | {"name": "Bench {n}"})
        self.plan("patch_organization", Request("PUT", members.removesuffix("/members"), renamed, headers))
        self.plan("add_account_member", Request("POST", members, '"other-{i}"', headers))

    @staticmethod
    def release():
        pinned = (RIVALS / "keycloak/pom.xml").read_text()
        return re.search(r"keycloak-quarkus-dist</artifactId>\s*<version>(.*)<", pinned)[1]

    def version(self):
        return f"{self.release()}, {first_line('java', '-version')}"


def installed(around, rival, *commands):
    """The folder with a copy of the rival's files in which the commands have installed its packages."""
    target = around.programs / rival
    run("mkdir", "-p", target)
    run("cp", "-R", f"{RIVALS / rival}/.", target)
    locks = ("package-lock.json", "requirements.txt", "pom.xml")
    lock = next(RIVALS / rival / name for name in locks if (RIVALS / rival / name).exists()).read_text()
    mark = target / "installed"
    if not mark.exists() or mark.read_text() != lock:
        print(f"installing {rival}", file=sys.stderr)
        for command in commands:
            run(*command, cwd=target, seconds=1800)
        mark.write_text(lock)
    return target


RIVAL_SERVERS = (BetterAuth, Django, Keycloak)
