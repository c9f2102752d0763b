// Runs the examples of README.md as they are written.
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const ADDRESS = "http://127.0.0.1:8080";

/**
 * Runs the example that imports this module, with the address of a server, and returns its output. The suites install
 * the module under another name, because they install several versions of it.
 */
export function runReadmeExample(imported, installed, server, token) {
  const readme = readFileSync(join(here, "../../../../README.md"), "utf8");
  const blocks = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block);
  const [example, ...others] = blocks.filter((block) => block.includes(`from "${imported}"`));
  if (!example?.includes(ADDRESS) || others.length) throw new Error(`README.md has no example for ${imported}`);
  // Beside the packages, which Node looks up from the file.
  const file = join(here, `../.readme-${process.pid}.mjs`);
  writeFileSync(file, example.replace(`"${imported}"`, JSON.stringify(installed)).replace(ADDRESS, server));
  try {
    return execFileSync(process.execPath, [file],
      { encoding: "utf8", timeout: 60_000, env: { ...process.env, TOKEN: token } });
  } finally {
    rmSync(file);
  }
}
