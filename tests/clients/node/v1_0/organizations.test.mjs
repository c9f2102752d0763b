import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { unique } from "../lib/server.mjs";
import { refused, world } from "./world.mjs";

world((it, version) => {
  const { errors } = it;

  test(`${version}: get and list`, async () => {
    const found = await it.polar.organizations.get(it.organization.id);
    assert.deepEqual([found.id, found.slug], [it.organization.id, "node-ten"]);
    const page = await it.polar.organizations.list();
    assert.deepEqual(page, { items: [found], pagination: { total_count: 1, max_page: 1 } });
    const slugs = [];
    for await (const one of it.polar.organizations.iterList({ slug: "node-ten" })) slugs.push(one.slug);
    assert.deepEqual(slugs, ["node-ten"]);
  });

  test(`${version}: list refuses a bad question`, async () => {
    await refused(() => it.polar.organizations.list({ page: 0 }),
      errors.HTTPValidationError, "greater_than query page");
    await refused(() => it.polar.organizations.list({ sorting: ["age"] }),
      errors.HTTPValidationError, "enum query sorting 0");
  });

  test(`${version}: update`, async () => {
    const { id } = it.organization;
    const updated = await it.polar.organizations.update(id, { name: "Renamed", website: "https://example.com/" });
    assert.deepEqual([updated.name, updated.website], ["Renamed", "https://example.com/"]);
    assert.deepEqual(await it.polar.organizations.get(id), updated);
    await refused(() => it.polar.organizations.update(id, { name: "ab" }),
      errors.HTTPValidationError, "string_too_short body name");
  });

  test(`${version}: what is not one's own is not found`, async () => {
    for (const id of [randomUUID(), it.otherOrganization.id]) {
      await refused(() => it.polar.organizations.get(id), errors.ResourceNotFound);
      await refused(() => it.polar.organizations.update(id, { name: "Taken over" }), errors.ResourceNotFound);
    }
  });

  test(`${version}: create`, async () => {
    const slug = unique("made");
    const made = await it.user.organizations.create({ name: "By hand", slug });
    assert.deepEqual((await it.user.organizations.list({ slug })).items, [made]);
    await refused(() => it.user.organizations.create({ name: "By hand", slug }),
      errors.HTTPValidationError, "value_error body slug");
    await refused(() => it.user.organizations.create({ name: "By hand", slug: "legal" }),
      errors.HTTPValidationError, "value_error body slug");
    await refused(() => it.polar.organizations.create({ name: "Another", slug: "another-one" }), 401);
  });
});
