// Pools of type mcp call the tools of a server that was built with the official SDK.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { ScriptClient } from './script_client.mjs';
import { HttpTools } from './sdk_tools.mjs';

const wait_ms = 45_000;
const token = 'a-secret-of-the-tools';

class Client extends ScriptClient {
  run(pool, tool, args = {}) {
    return this.call('task_submit', { pool, tool, arguments: args, wait_ms });
  }
}

async function until(condition) {
  for (const end = Date.now() + wait_ms; !condition(); ) {
    assert.ok(Date.now() < end, `not within ${wait_ms} ms: ${condition}`);
    await pause(20);
  }
}

async function calls(check, client, pool, told) {
  await check(`tools of the SDK, ${pool}: text and structure`, async () => {
    const task = await client.run(pool, 'echo', { words: 'grüße' });
    assert.equal(task.state, 'completed', task.result?.message);
    assert.equal(task.result.text, 'grüße');
    assert.deepEqual(task.result.structured, { words: 'grüße' });
  });
  await check(`tools of the SDK, ${pool}: progress is kept, beside the output`, async () => {
    const { task } = await client.run(pool, 'slow', {});
    const stderr = await client.call('task_output', { task, stream: 'stderr' });
    assert.equal(stderr.text, [1, 2, 3].map((n) => `progress ${n}/3: part ${n}\n`).join(''));
    const stdout = await client.call('task_output', { task, stream: 'stdout' });
    assert.equal(stdout.text, 'done');
  });
  await check(`tools of the SDK, ${pool}: failures`, async () => {
    const failed = await client.run(pool, 'fail');
    assert.deepEqual([failed.state, failed.attempts[0].exit_code], ['failed', 1]);
    assert.equal(failed.result.message, 'the index is broken');
    const unknown = await client.run(pool, 'ecco');
    assert.equal(unknown.attempts[0].exit_code, 2);
    assert.match(unknown.result.message, /has no tool "ecco"; did you mean "echo"\?/);
  });
  await check(`tools of the SDK, ${pool}: a cancel is heard`, async () => {
    const { task } = await client.call('task_submit', { pool, tool: 'slow', arguments: { hang: true } });
    await until(() => told().includes('hangs'));
    const cancelled = await client.call('task_cancel', { task, wait_ms });
    assert.equal(cancelled.items[0].processes_left, 0);
    await until(() => told().includes('aborted'));
  });
}

export async function toolPools(world, check) {
  const tools = new HttpTools(token);
  await tools.listen();
  const client = new Client(await world.serveHttp());
  const token_file = join(world.folder, 'tools-token');
  writeFileSync(token_file, `${token}\n`, { mode: 0o600 });
  const settings = { url: tools.url, token_file, headers: { 'X-Team': 'core' } };
  await client.call('pool_spawn', { name: 'http', type: 'mcp', settings });
  await calls(check, client, 'http', () => tools.told);
  await check('tools of the SDK, http: each call has a session, and ends it', async () => {
    assert.ok(tools.opened >= 5);
    await until(() => tools.sessions.size === 0);
  });
  await tools.close();

  const file = join(world.folder, 'told');
  const script = join(dirname(fileURLToPath(import.meta.url)), 'sdk_tools.mjs');
  const command = [process.execPath, script];
  await client.call('pool_spawn', { name: 'stdio', type: 'mcp', settings: { command }, env: { TOLD: file } });
  await calls(check, client, 'stdio', () => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
}
