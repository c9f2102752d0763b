import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { errors, refused, world } from "./world.mjs";

const it = world();

test("get", async () => {
  const found = await it.polar.organizations.get({ id: it.organization.id });
  assert.deepEqual([found.id, found.name, found.slug], [it.organization.id, "Node SDK", "node-sdk"]);
  assert.equal(found.featureSettings.memberModelEnabled, true);
  assert.ok(found.createdAt instanceof Date);
});

test("list shows the token's own", async () => {
  const { result } = await it.polar.organizations.listOrganizations({});
  assert.deepEqual(result.items.map((found) => found.id), [it.organization.id]);
  assert.deepEqual(result.pagination, { totalCount: 1, maxPage: 1 });
  const none = await it.polar.organizations.listOrganizations({ slug: "node-other" });
  assert.deepEqual(none.result.items, []);
});

test("list refuses a page of nothing", () =>
  refused(() => it.polar.organizations.listOrganizations({ page: 0 }),
    errors.HTTPValidationError, "greater_than query page"));

test("update", async () => {
  const { id } = it.organization;
  const updated = await it.polar.organizations.update({ id, organizationUpdate: {
    name: "Renamed", email: "support@example.com", website: "https://example.com/", country: "FR",
    socials: [{ platform: "github", url: "https://github.com/example" }] } });
  assert.deepEqual([updated.name, updated.email, updated.country], ["Renamed", "support@example.com", "FR"]);
  assert.deepEqual(updated.socials, [{ platform: "github", url: "https://github.com/example" }]);
  assert.ok(updated.modifiedAt instanceof Date);
  assert.deepEqual(await it.polar.organizations.get({ id }), updated);
  await it.polar.organizations.update({ id, organizationUpdate: { name: "Node SDK", email: null } });
});

test("update refuses a short name", () =>
  refused(() => it.polar.organizations.update({ id: it.organization.id, organizationUpdate: { name: "ab" } }),
    errors.HTTPValidationError, "string_too_short body name"));

test("what is not one's own is not found", async () => {
  for (const id of [randomUUID(), it.otherOrganization.id]) {
    await refused(() => it.polar.organizations.get({ id }), errors.ResourceNotFound);
    await refused(() => it.polar.organizations.update({ id, organizationUpdate: { name: "Taken over" } }),
      errors.ResourceNotFound);
  }
});

test("a person creates an organization and sees it", async () => {
  const made = await it.user.organizations.create({ name: "By hand", slug: "by-hand" });
  assert.equal(made.featureSettings.memberModelEnabled, true);
  const { result } = await it.user.organizations.listOrganizations({ slug: "by-hand" });
  assert.deepEqual(result.items.map((found) => found.id), [made.id]);
});

test("create refuses what breaks the rules", async () => {
  for (const slug of ["node-sdk", "legal", "no_good"]) {
    await refused(() => it.user.organizations.create({ name: "By hand", slug }),
      errors.HTTPValidationError, "value_error body slug");
  }
  await refused(() => it.polar.organizations.create({ name: "Another", slug: "another-one" }), 401);
});

test("a bad token is unauthorized", () =>
  refused(() => it.connect(`polar_oat_${"x".repeat(43)}`).organizations.listOrganizations({}), 401));
