// What is read about a customer besides itself, and how its person is forgotten.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { refused, world } from "./world.mjs";

world((it, version) => {
  const { errors } = it;
  const customers = () => it.polar.customers;

  test(`${version}: state, true right after a write`, async () => {
    const { id, external_id } = await it.team();
    const state = await customers().getState(id);
    assert.deepEqual([state.id, state.active_subscriptions, state.granted_benefits, state.active_meters],
      [id, [], [], []]);
    await customers().update(id, { name: "Fresh" });
    assert.equal((await customers().getStateExternal(external_id)).name, "Fresh");
  });

  test(`${version}: export`, async () => {
    const customer = await it.individual();
    const text = await customers().export();
    assert.match(text, /^ID,External ID,Created At,Email,Name,/);
    assert.ok(text.includes(customer.email));
    const none = await customers().export({ organization_id: it.otherOrganization.id });
    assert.equal(none.trim().split("\n").length, 1);
    await refused(() => customers().export({ organization_id: "nobody" }), errors.HTTPValidationError);
    await refused(() => it.clientWith("members:read").customers.export(), 403);
  });

  test(`${version}: payment methods are an empty page`, async () => {
    const { id, external_id } = await it.individual();
    const empty = { items: [], pagination: { total_count: 0, max_page: 0 } };
    assert.deepEqual(await customers().listPaymentMethods(id), empty);
    assert.deepEqual(await customers().listPaymentMethodsExternal(external_id), empty);
    for await (const one of customers().iterListPaymentMethods(id)) assert.fail(one);
    for await (const one of customers().iterListPaymentMethodsExternal(external_id)) assert.fail(one);
    await refused(() => customers().listPaymentMethods(id, { page: 0 }),
      errors.HTTPValidationError, "greater_than query page");
    await refused(() => customers().listPaymentMethodsExternal(external_id, { limit: 0 }),
      errors.HTTPValidationError, "greater_than query limit");
  });

  test(`${version}: what is unknown or another's is not found`, async () => {
    const customer = await it.individual();
    for (const [client, id, external_id] of [
      [it.polar, randomUUID(), "nobody"], [it.other, customer.id, customer.external_id]]) {
      for (const call of [
        () => client.customers.getState(id), () => client.customers.getStateExternal(external_id),
        () => client.customers.listPaymentMethods(id),
        () => client.customers.listPaymentMethodsExternal(external_id)]) {
        await refused(call, errors.ResourceNotFound);
      }
    }
  });

  test(`${version}: delete and forget the person`, async () => {
    const [first, second] = [await it.individual(), await it.individual()];
    assert.equal(await customers().delete(first.id, { anonymize: true }), undefined);
    assert.equal(await customers().deleteExternal(second.external_id, { anonymize: true }), undefined);
    for (const { id, email } of [first, second]) {
      await refused(() => customers().delete(id, { anonymize: true }), errors.ResourceNotFound);
      assert.deepEqual((await customers().list({ email })).items, []);
    }
  });
});
