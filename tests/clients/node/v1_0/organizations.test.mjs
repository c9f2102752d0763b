import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { unique } from "../lib/server.mjs";
import { expectError, forEachVersion } from "./environment.mjs";

forEachVersion((env, version) => {
  const { errors } = env;

  test(`${version}: get and list`, async () => {
    const found = await env.polar.organizations.get(env.organization.id);
    assert.deepEqual([found.id, found.slug], [env.organization.id, "node-sdk"]);
    const page = await env.polar.organizations.list();
    assert.deepEqual(page, { items: [found], pagination: { total_count: 1, max_page: 1 } });
    const slugs = [];
    for await (const one of env.polar.organizations.iterList({ slug: "node-sdk" })) slugs.push(one.slug);
    assert.deepEqual(slugs, ["node-sdk"]);
  });

  test(`${version}: list refuses invalid parameters`, async () => {
    await expectError(() => env.polar.organizations.list({ page: 0 }),
      errors.HTTPValidationError, "greater_than query page");
    await expectError(() => env.polar.organizations.list({ sorting: ["age"] }),
      errors.HTTPValidationError, "enum query sorting 0");
  });

  test(`${version}: update`, async () => {
    const { id } = env.organization;
    const updated = await env.polar.organizations.update(id, { name: "Renamed", website: "https://example.com/" });
    assert.deepEqual([updated.name, updated.website], ["Renamed", "https://example.com/"]);
    assert.deepEqual(await env.polar.organizations.get(id), updated);
    await expectError(() => env.polar.organizations.update(id, { name: "ab" }),
      errors.HTTPValidationError, "string_too_short body name");
  });

  test(`${version}: other and unknown organizations are not found`, async () => {
    for (const id of [randomUUID(), env.otherOrganization.id]) {
      await expectError(() => env.polar.organizations.get(id), errors.ResourceNotFound);
      await expectError(() => env.polar.organizations.update(id, { name: "Taken over" }), errors.ResourceNotFound);
    }
  });

  test(`${version}: create`, async () => {
    const slug = unique("created");
    const created = await env.user.organizations.create({ name: "By hand", slug });
    assert.deepEqual((await env.user.organizations.list({ slug })).items, [created]);
    await expectError(() => env.user.organizations.create({ name: "By hand", slug }),
      errors.HTTPValidationError, "value_error body slug");
    await expectError(() => env.user.organizations.create({ name: "By hand", slug: "legal" }),
      errors.HTTPValidationError, "value_error body slug");
    await expectError(() => env.polar.organizations.create({ name: "Another", slug: "another-one" }), 401);
  });
});
