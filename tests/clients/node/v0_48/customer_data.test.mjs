// The state, the payment methods and the export of customers, and their anonymization.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { ExportAcceptEnum } from "polar-0-48/sdk/customers";

import { errors, expectError, testEnvironment } from "./environment.mjs";

const env = testEnvironment();

test("state by id and by external id shows a write at once", async () => {
  const { id, externalId } = await env.createTeam();
  const state = await env.polar.customers.getState({ id });
  assert.deepEqual([state.id, state.type], [id, "team"]);
  assert.deepEqual([state.activeSubscriptions, state.grantedBenefits, state.activeMeters], [[], [], []]);
  await env.polar.customers.update({ id, customerUpdate: { name: "Fresh" } });
  assert.equal((await env.polar.customers.getStateExternal({ externalId })).name, "Fresh");
});

test("export", async () => {
  const customer = await env.createIndividual();
  for (const acceptHeaderOverride of [ExportAcceptEnum.textCsv, undefined]) {
    const answer = await env.polar.customers.export({}, { acceptHeaderOverride });
    const text = typeof answer === "string" ? answer : await new Response(answer).text();
    assert.match(text, /^ID,External ID,Created At,Email,Name,/);
    assert.ok(text.includes(customer.email));
  }
});

test("export refuses a malformed organization id", () =>
  expectError(() => env.polar.customers.export({ organizationId: "malformed" }, {
    acceptHeaderOverride: ExportAcceptEnum.textCsv }), errors.HTTPValidationError));

test("payment methods are an empty page", async () => {
  const { id, externalId } = await env.createIndividual();
  for (const page of [await env.polar.customers.listPaymentMethods({ id }),
    await env.polar.customers.listPaymentMethodsExternal({ externalId })]) {
    assert.deepEqual(page.result, { items: [], pagination: { totalCount: 0, maxPage: 0 } });
  }
  await expectError(() => env.polar.customers.listPaymentMethods({ id, page: 0 }),
    errors.HTTPValidationError, "greater_than query page");
  await expectError(() => env.polar.customers.listPaymentMethodsExternal({ externalId, limit: 0 }),
    errors.HTTPValidationError, "greater_than query limit");
});

test("unknown customers and those of another organization are not found", async () => {
  const customer = await env.createIndividual();
  for (const [client, id, externalId] of [
    [env.polar, randomUUID(), "unknown"], [env.other, customer.id, customer.externalId]]) {
    for (const call of [
      () => client.customers.getState({ id }),
      () => client.customers.getStateExternal({ externalId }),
      () => client.customers.listPaymentMethods({ id }),
      () => client.customers.listPaymentMethodsExternal({ externalId }),
    ]) await expectError(call, errors.ResourceNotFound);
  }
});

test("a missing scope is forbidden", async () => {
  const { id } = await env.createIndividual();
  const withoutScope = env.clientWith("members:read");
  await expectError(() => withoutScope.customers.getState({ id }), 403);
  await expectError(() => withoutScope.customers.listPaymentMethods({ id }), 403);
});

test("delete and anonymize, by id and by external id", async () => {
  const [first, second] = [await env.createIndividual(), await env.createIndividual()];
  assert.equal(await env.polar.customers.delete({ id: first.id, anonymize: true }), undefined);
  assert.equal(await env.polar.customers.deleteExternal(
    { externalId: second.externalId, anonymize: true }), undefined);
  for (const { id, email } of [first, second]) {
    await expectError(() => env.polar.customers.delete({ id, anonymize: true }), errors.ResourceNotFound);
    const found = await env.polar.customers.list({ email });
    assert.deepEqual(found.result.items, []);
  }
});
