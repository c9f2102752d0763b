// Checks that a call of an SDK fails as documented.
import assert from "node:assert/strict";

/**
 * Makes `expectError(call, kind, ...violations)`, which checks that a call fails and returns its error.
 *
 * `kind` is an HTTP status or an error class of the SDK. Each of the `violations` is the type and the location of an
 * item of a validation error, separated by spaces. `detailOf(error)` returns these items.
 */
export function errorChecker(detailOf) {
  return async function expectError(call, kind, ...violations) {
    const caught = await call().then(() => assert.fail("the call succeeded, expected an error"), (error) => error);
    if (typeof kind === "number") {
      assert.equal(caught.statusCode, kind, String(caught));
      return caught;
    }
    assert.ok(caught instanceof kind, `${caught?.name}: ${caught}`);
    if (violations.length) {
      assert.deepEqual(detailOf(caught).map((item) => [item.type, ...item.loc].join(" ")).sort(), violations.sort());
    }
    return caught;
  };
}
