// The state, the payment methods and the export of customers, and their anonymization.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { expectError, forEachVersion } from "./environment.mjs";

forEachVersion((env, version) => {
  const { errors } = env;
  const customers = () => env.polar.customers;

  test(`${version}: state shows a write at once`, async () => {
    const { id, external_id } = await env.createTeam();
    const state = await customers().getState(id);
    assert.deepEqual([state.id, state.active_subscriptions, state.granted_benefits, state.active_meters],
      [id, [], [], []]);
    await customers().update(id, { name: "Fresh" });
    assert.equal((await customers().getStateExternal(external_id)).name, "Fresh");
  });

  test(`${version}: export`, async () => {
    const customer = await env.createIndividual();
    const text = await customers().export();
    assert.match(text, /^ID,External ID,Created At,Email,Name,/);
    assert.ok(text.includes(customer.email));
    const none = await customers().export({ organization_id: env.otherOrganization.id });
    assert.equal(none.trim().split("\n").length, 1);
    await expectError(() => customers().export({ organization_id: "malformed" }), errors.HTTPValidationError);
    await expectError(() => env.clientWith("members:read").customers.export(), 403);
  });

  test(`${version}: payment methods are an empty page`, async () => {
    const { id, external_id } = await env.createIndividual();
    const empty = { items: [], pagination: { total_count: 0, max_page: 0 } };
    assert.deepEqual(await customers().listPaymentMethods(id), empty);
    assert.deepEqual(await customers().listPaymentMethodsExternal(external_id), empty);
    for await (const one of customers().iterListPaymentMethods(id)) assert.fail(one);
    for await (const one of customers().iterListPaymentMethodsExternal(external_id)) assert.fail(one);
    await expectError(() => customers().listPaymentMethods(id, { page: 0 }),
      errors.HTTPValidationError, "greater_than query page");
    await expectError(() => customers().listPaymentMethodsExternal(external_id, { limit: 0 }),
      errors.HTTPValidationError, "greater_than query limit");
  });

  test(`${version}: unknown customers and those of another organization are not found`, async () => {
    const customer = await env.createIndividual();
    for (const [client, id, external_id] of [
      [env.polar, randomUUID(), "unknown"], [env.other, customer.id, customer.external_id]]) {
      for (const call of [
        () => client.customers.getState(id), () => client.customers.getStateExternal(external_id),
        () => client.customers.listPaymentMethods(id),
        () => client.customers.listPaymentMethodsExternal(external_id)]) {
        await expectError(call, errors.ResourceNotFound);
      }
    }
  });

  test(`${version}: delete and anonymize`, async () => {
    const [first, second] = [await env.createIndividual(), await env.createIndividual()];
    assert.equal(await customers().delete(first.id, { anonymize: true }), undefined);
    assert.equal(await customers().deleteExternal(second.external_id, { anonymize: true }), undefined);
    for (const { id, email } of [first, second]) {
      await expectError(() => customers().delete(id, { anonymize: true }), errors.ResourceNotFound);
      assert.deepEqual((await customers().list({ email })).items, []);
    }
  });
});
