// SDK 1.0 has no `GET /v1/members/`: it lists the members below their customer.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { refused, world } from "./world.mjs";

world((it, version) => {
  const { errors } = it;

  test(`${version}: list, by id and by external id`, async () => {
    const team = await it.team();
    const { members } = it.polar.customers;
    const added = [];
    for (let i = 0; i < 4; i++) added.push(await members.create(team.id, { email: address() }));
    for (const [list, iterate, target] of [
      [members.list, members.iterList, team.id],
      [members.listExternal, members.iterListExternal, team.external_id]]) {
      const page = await list(target, { limit: 2 });
      assert.deepEqual(page, { items: [added[3], added[2]], pagination: { total_count: 5, max_page: 3 } });
      const found = [];
      for await (const member of iterate(target, { limit: 2 })) found.push(member);
      assert.deepEqual(found.slice(0, 4), added.toReversed());
      assert.deepEqual((await list(target, { role: "owner" })).items, [found[4]]);
    }
  });

  test(`${version}: list refuses`, async () => {
    const team = await it.team();
    const { members } = it.polar.customers;
    await refused(() => members.list(randomUUID()), errors.ResourceNotFound);
    await refused(() => members.listExternal("nobody"), errors.ResourceNotFound);
    await refused(() => members.list(team.id, { page: 0 }), errors.HTTPValidationError, "greater_than query page");
    await refused(() => it.other.customers.members.list(team.id), errors.ResourceNotFound);
    await refused(() => it.clientWith("customers:read").customers.members.list(team.id), 403);
  });
});
