import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { errors, expectError, testEnvironment } from "./environment.mjs";

const env = testEnvironment();

test("get", async () => {
  const found = await env.polar.organizations.get({ id: env.organization.id });
  assert.deepEqual([found.id, found.name, found.slug], [env.organization.id, "Node SDK", "node-sdk"]);
  assert.equal(found.featureSettings.memberModelEnabled, true);
  assert.ok(found.createdAt instanceof Date);
});

test("list shows the organization of the token", async () => {
  const { result } = await env.polar.organizations.listOrganizations({});
  assert.deepEqual(result.items.map((found) => found.id), [env.organization.id]);
  assert.deepEqual(result.pagination, { totalCount: 1, maxPage: 1 });
  const none = await env.polar.organizations.listOrganizations({ slug: "node-other" });
  assert.deepEqual(none.result.items, []);
});

test("list refuses an invalid page", () =>
  expectError(() => env.polar.organizations.listOrganizations({ page: 0 }),
    errors.HTTPValidationError, "greater_than query page"));

test("update", async () => {
  const { id } = env.organization;
  const updated = await env.polar.organizations.update({ id, organizationUpdate: {
    name: "Renamed", email: "support@example.com", website: "https://example.com/", country: "FR",
    socials: [{ platform: "github", url: "https://github.com/example" }] } });
  assert.deepEqual([updated.name, updated.email, updated.country], ["Renamed", "support@example.com", "FR"]);
  assert.deepEqual(updated.socials, [{ platform: "github", url: "https://github.com/example" }]);
  assert.ok(updated.modifiedAt instanceof Date);
  assert.deepEqual(await env.polar.organizations.get({ id }), updated);
  await env.polar.organizations.update({ id, organizationUpdate: { name: "Node SDK", email: null } });
});

test("update refuses a short name", () =>
  expectError(() => env.polar.organizations.update({ id: env.organization.id, organizationUpdate: { name: "ab" } }),
    errors.HTTPValidationError, "string_too_short body name"));

test("other and unknown organizations are not found", async () => {
  for (const id of [randomUUID(), env.otherOrganization.id]) {
    await expectError(() => env.polar.organizations.get({ id }), errors.ResourceNotFound);
    await expectError(() => env.polar.organizations.update({ id, organizationUpdate: { name: "Taken over" } }),
      errors.ResourceNotFound);
  }
});

test("a user creates an organization and sees it", async () => {
  const created = await env.user.organizations.create({ name: "By hand", slug: "by-hand" });
  assert.equal(created.featureSettings.memberModelEnabled, true);
  const { result } = await env.user.organizations.listOrganizations({ slug: "by-hand" });
  assert.deepEqual(result.items.map((found) => found.id), [created.id]);
});

test("create refuses invalid slugs", async () => {
  for (const slug of ["node-sdk", "legal", "no_good"]) {
    await expectError(() => env.user.organizations.create({ name: "By hand", slug }),
      errors.HTTPValidationError, "value_error body slug");
  }
  await expectError(() => env.polar.organizations.create({ name: "Another", slug: "another-one" }), 401);
});

test("an invalid token is unauthorized", () =>
  expectError(() => env.connect(`polar_oat_${"x".repeat(43)}`).organizations.listOrganizations({}), 401));
