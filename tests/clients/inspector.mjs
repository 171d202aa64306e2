// The Inspector's command line against the real binary: another implementation of a client, and with
// --strict a judge of the tools' schemas. What it prints is looked at, not only how it ends.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { repositories } from './world.mjs';

const failedCall = 5; // its exit code when a tool fails

function launcher() {
  const inside = createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector/package.json');
  return join(dirname(inside), 'clients', 'launcher', 'build', 'index.js');
}

// One run to its end: {code, out, err}.
function run(world, words) {
  const home = join(world.folder, 'inspector');
  mkdirSync(home, { recursive: true });
  const options = { env: { ...process.env, HOME: home }, cwd: home, timeout: 60_000, maxBuffer: 1 << 24 };
  return new Promise((resolve) =>
    execFile(process.execPath, [launcher(), '--cli', ...words], options, (error, out, err) =>
      resolve({ code: error ? error.code : 0, out, err }),
    ),
  );
}

const resultOf = (out) => JSON.parse(out).result;

export async function inspector(world, server, check) {
  const http = (path, transport, era) => (...words) => {
    const where = ['--server-url', server.origin + path, '--transport', transport];
    const who = ['--header', `Authorization: Bearer ${server.token}`];
    const flags = era ? ['--protocol-era', era] : [];
    return run(world, [...words, ...where, ...who, ...flags, '--format', 'json', '-q']);
  };
  const stdio = (era) => (...words) => {
    const own = world.serveArguments('--stdio', '--in-process');
    const flags = ['--protocol-era', era, '--format', 'json', '-q'];
    return run(world, [...words, ...flags, '--', world.binary, ...own]);
  };
  const doors = { sse: http('/sse', 'sse') };
  for (const era of ['legacy', 'modern', 'auto']) {
    doors[`stdio ${era}`] = stdio(era);
    doors[`http ${era}`] = http('/mcp', 'http', era);
  }
  for (const [door, ask] of Object.entries(doors)) {
    await check(`inspector 2.12.0, ${door}: its strict reading finds no fault with the tools`, async () => {
      const { code, out, err } = await ask('--method', 'tools/list', '--strict');
      assert.equal(code, 0, err);
      const { tools } = resultOf(out);
      assert.equal(tools[0].name, 'repo_list');
      assert.ok(tools.length >= 20, `${tools.length} tools`);
      assert.ok(tools.every((tool) => tool.inputSchema.type === 'object'));
      assert.match(err, /^0 errors, /m);
    });
    await check(`inspector 2.12.0, ${door}: a tool answers`, async () => {
      const { code, out, err } = await ask('--method', 'tools/call', '--tool-name', 'repo_list');
      assert.equal(code, 0, err);
      const { items } = resultOf(out).structuredContent;
      assert.deepEqual(items.map((item) => item.name), repositories);
    });
  }
  await check('inspector 2.12.0: a tool that fails, a resource and a prompt', async () => {
    const ask = doors['http modern'];
    const failed = await ask('--method', 'tools/call', '--tool-name', 'task_get', '--tool-arg', 'task=none');
    assert.equal(failed.code, failedCall, failed.err);
    assert.equal(resultOf(failed.out).isError, true);
    const read = await ask('--method', 'resources/read', '--uri', 'mahavishnu://repo/alpha');
    assert.equal(JSON.parse(resultOf(read.out).contents[0].text).name, 'alpha');
    const got = await ask('--method', 'prompts/get', '--prompt-name', 'sweep', '--prompt-args', 'change=x', 'tag=test');
    assert.match(resultOf(got.out).messages[0].content.text, /alpha/);
  });
}
