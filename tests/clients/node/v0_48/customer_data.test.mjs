// What is read about a customer besides itself, and how its person is forgotten.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { ExportAcceptEnum } from "polar-0-48/sdk/customers";

import { errors, refused, world } from "./world.mjs";

const it = world();

test("state, by id and by external id, true right after a write", async () => {
  const { id, externalId } = await it.team();
  const state = await it.polar.customers.getState({ id });
  assert.deepEqual([state.id, state.type], [id, "team"]);
  assert.deepEqual([state.activeSubscriptions, state.grantedBenefits, state.activeMeters], [[], [], []]);
  await it.polar.customers.update({ id, customerUpdate: { name: "Fresh" } });
  assert.equal((await it.polar.customers.getStateExternal({ externalId })).name, "Fresh");
});

test("export", async () => {
  const customer = await it.individual();
  for (const acceptHeaderOverride of [ExportAcceptEnum.textCsv, undefined]) {
    const answer = await it.polar.customers.export({}, { acceptHeaderOverride });
    const text = typeof answer === "string" ? answer : await new Response(answer).text();
    assert.match(text, /^ID,External ID,Created At,Email,Name,/);
    assert.ok(text.includes(customer.email));
  }
});

test("export refuses an organization that is none", () =>
  refused(() => it.polar.customers.export({ organizationId: "nobody" }, {
    acceptHeaderOverride: ExportAcceptEnum.textCsv }), errors.HTTPValidationError));

test("payment methods are an empty page", async () => {
  const { id, externalId } = await it.individual();
  for (const page of [await it.polar.customers.listPaymentMethods({ id }),
    await it.polar.customers.listPaymentMethodsExternal({ externalId })]) {
    assert.deepEqual(page.result, { items: [], pagination: { totalCount: 0, maxPage: 0 } });
  }
  await refused(() => it.polar.customers.listPaymentMethods({ id, page: 0 }),
    errors.HTTPValidationError, "greater_than query page");
  await refused(() => it.polar.customers.listPaymentMethodsExternal({ externalId, limit: 0 }),
    errors.HTTPValidationError, "greater_than query limit");
});

test("what is unknown or another's is not found", async () => {
  const customer = await it.individual();
  for (const [client, id, externalId] of [
    [it.polar, randomUUID(), "nobody"], [it.other, customer.id, customer.externalId]]) {
    for (const call of [
      () => client.customers.getState({ id }),
      () => client.customers.getStateExternal({ externalId }),
      () => client.customers.listPaymentMethods({ id }),
      () => client.customers.listPaymentMethodsExternal({ externalId }),
    ]) await refused(call, errors.ResourceNotFound);
  }
});

test("a missing scope is forbidden", async () => {
  const { id } = await it.individual();
  const stranger = it.clientWith("members:read");
  await refused(() => stranger.customers.getState({ id }), 403);
  await refused(() => stranger.customers.listPaymentMethods({ id }), 403);
});

test("delete and forget the person, by id and by external id", async () => {
  const [first, second] = [await it.individual(), await it.individual()];
  assert.equal(await it.polar.customers.delete({ id: first.id, anonymize: true }), undefined);
  assert.equal(await it.polar.customers.deleteExternal(
    { externalId: second.externalId, anonymize: true }), undefined);
  for (const { id, email } of [first, second]) {
    await refused(() => it.polar.customers.delete({ id, anonymize: true }), errors.ResourceNotFound);
    const found = await it.polar.customers.list({ email });
    assert.deepEqual(found.result.items, []);
  }
});
