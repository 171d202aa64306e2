// Three official clients of two eras on one data directory, each behind a bridge of its own: one is
// killed in the middle of its task, the server is killed under the others, and their sessions go on.
// Usage: node sdk_clients.mjs BINARY. Exit code 0 and no word: all is well.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';

import { sdks } from './sdks.mjs';
import { repositories, World } from './world.mjs';

const wanted = ['sdk 1.32.2', 'client 2.4.0 legacy', 'client 2.4.0 pinned'];
const longest = 60_000;
const world = new World(process.argv[2]);
const words = world.serveArguments('--stdio');
const verb = (name) =>
  execFileSync(world.binary, [name, '--data', world.data], { env: world.environment, encoding: 'utf8' });
const owner = () => Number(/^server: +pid (\d+)/m.exec(verb('status'))[1]);

class Peer {
  constructor(sdk) {
    this.sdk = sdk;
    this.transport = sdk.stdio({
      command: world.binary,
      args: words,
      env: world.environment,
      cwd: world.folder,
      stderr: 'ignore',
    });
    this.client = sdk.client();
  }
  connect() {
    return this.client.connect(this.transport, { timeout: longest });
  }
  async call(name, args) {
    const result = await this.sdk.call(this.client, { name, arguments: args }, { timeout: longest });
    assert.notEqual(result.isError, true, result.content?.[0]?.text);
    return result.structuredContent;
  }
}

async function until(what, condition) {
  const deadline = Date.now() + longest;
  while (!(await condition())) assert.ok(Date.now() < deadline, `not in time: ${what}`);
}

try {
  const all = (await sdks()).filter((sdk) => wanted.includes(sdk.name));
  assert.equal(all.length, wanted.length);
  const peers = all.map((sdk) => new Peer(sdk));
  await Promise.all(peers.map((peer) => peer.connect())); // all at once, on an empty directory
  const server = owner();
  for (const peer of peers) assert.equal((await peer.call('repo_list', {})).total, repositories.length);

  const gate = join(world.folder, 'gate');
  const command = `while [ ! -e ${gate} ]; do sleep 0.05; done; echo passed`;
  const tasks = [];
  for (const peer of peers) tasks.push((await peer.call('task_submit', { command, repo: 'alpha' })).task);
  const [first, ...others] = peers;
  await until('the first task runs', async () => (await first.call('task_get', { task: tasks[0] })).state === 'running');

  process.kill(first.transport.pid, 'SIGKILL');
  for (const peer of others) assert.equal((await peer.call('task_get', { task: tasks[0] })).state, 'running');

  const waiting = others.map((peer) => assert.rejects(peer.call('task_get', { task: tasks[0], wait_ms: 45_000 }), /task_list/));
  await others[0].call('pool_list', {}); // what was sent before it has arrived
  await others[1].call('pool_list', {});
  process.kill(server, 'SIGKILL');
  await Promise.all(waiting);
  for (const peer of others) {
    const seen = await peer.call('task_get', { task: tasks[0] });
    assert.equal(seen.state, 'running');
    assert.equal(seen.attempt, 1);
  }
  assert.notEqual(owner(), server);
  writeFileSync(gate, '');
  for (const task of tasks) {
    let seen = await others[1].call('task_get', { task, wait_ms: 20_000 });
    assert.equal(seen.state, 'completed');
    seen = await others[0].call('task_output', { task });
    assert.match(seen.text, /passed/);
  }
  for (const peer of others) await peer.client.close();
} finally {
  if (existsSync(world.data)) verb('stop');
  await world.close();
}
