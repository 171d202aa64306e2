// Drives the real binary with the official SDK clients of every revision and the Inspector, each over
// every transport it has.
// Usage: node clients.mjs BINARY. Prints `ok NAME` or `not ok NAME`, last "N passed, N failed".
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { extTasks } from './ext_tasks.mjs';
import { inspector } from './inspector.mjs';
import { memorySync } from './memory_sync.mjs';
import { sdks } from './sdks.mjs';
import { tokens } from './tokens.mjs';
import { toolPools } from './tool_pools.mjs';
import { repositories, World } from './world.mjs';

const longest = 60_000; // ms, for any one request
let passed = 0;
let failed = 0;

async function check(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${name}\n${String(error.stack ?? error).replace(/^/gm, '    ')}`);
  }
}

// One connected client, and calls as a person would make them.
class Peer {
  constructor(sdk, client) {
    this.sdk = sdk;
    this.client = client;
    this.structured = sdk.revision >= '2025-06-18';
  }

  call(name, args, options = {}) {
    return this.sdk.call(this.client, { name, arguments: args }, { timeout: longest, ...options });
  }

  // The structured result, read the way the revision has it.
  async answer(name, args, options) {
    const result = await this.call(name, args, options);
    assert.notEqual(result.isError, true, result.content?.[0]?.text);
    const text = JSON.parse(result.content[0].text);
    if (!this.structured) return text;
    assert.deepEqual(result.structuredContent, text);
    return result.structuredContent;
  }
}

const cases = {
  async 'lists the tools of its revision'({ client, sdk, structured }) {
    const { tools } = await client.listTools();
    assert.equal(tools[0].name, 'repo_list');
    for (const tool of tools) {
      assert.ok(tool.description, `${tool.name} has no description`);
      assert.equal(tool.inputSchema.type, 'object');
      assert.equal(tool.outputSchema !== undefined, structured, tool.name);
      assert.equal(tool.annotations !== undefined, sdk.revision >= '2025-03-26', tool.name);
    }
    const again = await client.listTools();
    assert.deepEqual(
      again.tools.map((tool) => tool.name),
      tools.map((tool) => tool.name),
    );
  },

  async 'repo_list names the repositories'(peer) {
    const { items, total } = await peer.answer('repo_list', { tag: 'test' });
    assert.deepEqual(items.map((item) => item.name).sort(), repositories);
    assert.equal(total, repositories.length);
    assert.ok(items.every((item) => item.exists && item.branch === 'main'));
  },

  async 'a workflow runs real commands in every repository'(peer) {
    const started = await peer.answer('workflow_run', {
      steps: [
        { id: 'test', command: 'sh test.sh' },
        { id: 'clean', command: 'cat name.txt', depends_on: ['test'], when: 'always' },
      ],
      over: { tag: 'test' },
    });
    let found = started;
    for (let turn = 0; turn < 5 && !found.ended; ++turn) {
      found = await peer.answer('workflow_get', { workflow: started.workflow, wait_ms: 20_000 });
    }
    assert.equal(found.state, 'partial');
    assert.equal(found.progress, 100);
    assert.equal(found.cells.length, 2 * repositories.length);
    const cell = (repo, step) => found.cells.find((one) => one.repo === repo && one.step === step);
    for (const repo of repositories) {
      assert.equal(cell(repo, 'test').state, repo === 'beta' ? 'failed' : 'completed');
      assert.equal(cell(repo, 'clean').state, 'completed');
    }
    assert.match(cell('beta', 'test').error_tail, /testing beta/);
    const output = await peer.answer('task_output', { task: cell('gamma', 'clean').task });
    assert.match(output.text, /gamma/);
  },

  // The task ends once its progress is heard: SDK 1.9 forgets who listens when the answer comes in
  // the same read as the notification.
  async 'a task tells its progress'(peer) {
    const told = [];
    const heard = path.join(mkdtempSync(path.join(tmpdir(), 'progress-')), 'heard');
    const task = await peer.answer(
      'task_submit',
      {
        command: `for i in $(seq 400); do test -e '${heard}' && exit 0; sleep 0.05; done; exit 1`,
        repo: 'alpha',
        wait_ms: 30_000,
      },
      {
        onprogress: (progress) => {
          told.push(progress.progress);
          writeFileSync(heard, '');
        },
      },
    );
    rmSync(path.dirname(heard), { recursive: true });
    assert.equal(task.state, 'completed');
    assert.ok(told.length > 0, 'no progress was told');
    assert.ok(told.every((value, at) => at === 0 || value > told[at - 1]), `not growing: ${told}`);
  },

  async 'a cancelled call ends at once and leaves the task running'(peer) {
    const { task } = await peer.answer('task_submit', { command: 'sleep 60', repo: 'alpha' });
    const stop = new AbortController();
    const waiting = peer.call('task_get', { task, wait_ms: 45_000 }, { signal: stop.signal });
    const refused = assert.rejects(waiting);
    stop.abort('enough');
    await refused;
    const now = await peer.answer('task_get', { task });
    assert.ok(['queued', 'running'].includes(now.state), now.state);
    const ended = await peer.answer('task_cancel', { task, wait_ms: 20_000 });
    assert.equal(ended.processes_left, 0);
  },

  async 'calls run side by side'(peer) {
    const { task } = await peer.answer('task_submit', { command: 'sleep 60', repo: 'beta' });
    const waiting = peer.call('task_get', { task, wait_ms: 45_000 });
    const lists = await Promise.all(Array.from({ length: 20 }, () => peer.answer('repo_list', {})));
    assert.ok(lists.every((list) => list.items.length === repositories.length));
    await peer.answer('task_cancel', { task, wait_ms: 20_000 });
    assert.notEqual((await waiting).isError, true);
  },

  async 'errors reach the client in their channel'(peer) {
    const wrong = await peer.call('task_submit', { comand: 'ls', repo: 'alpha' });
    assert.equal(wrong.isError, true);
    assert.match(wrong.content[0].text, /unknown argument "comand"; did you mean "command"\?/);
    const missing = await peer.call('task_submit', { command: 'ls', repo: 'nowhere' });
    assert.equal(missing.isError, true);
    assert.match(missing.content[0].text, /nowhere/);
    const failed = await peer.answer('task_submit', { command: 'exit 4', wait_ms: 20_000, repo: 'alpha' });
    assert.equal(failed.state, 'failed'); // a good answer about a failed task
    await assert.rejects(peer.call('repo_lst', {}), (error) => error.code === -32602);
  },

  async 'resources are listed and read'({ client }) {
    const { resources } = await client.listResources();
    assert.deepEqual(resources.map((one) => one.uri), ['mahavishnu://metrics']);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.ok(resourceTemplates.some((one) => one.uriTemplate === 'mahavishnu://task/{task}/output'));
    const { contents } = await client.readResource({ uri: 'mahavishnu://repo/alpha' });
    assert.equal(JSON.parse(contents[0].text).name, 'alpha');
    await assert.rejects(client.readResource({ uri: 'mahavishnu://pool/nosuch' }), /nosuch/);
  },

  async 'prompts are listed, completed and got'({ client }) {
    const { prompts } = await client.listPrompts();
    assert.deepEqual(prompts.map((one) => one.name), ['sweep', 'triage', 'standup']);
    const ref = { type: 'ref/prompt', name: 'sweep' };
    const { completion } = await client.complete({ ref, argument: { name: 'tag', value: 'te' } });
    assert.deepEqual(completion.values, ['test']);
    const { messages } = await client.getPrompt({ name: 'sweep', arguments: { change: 'raise the year', tag: 'test' } });
    assert.match(messages[0].content.text, /raise the year[^]*alpha/);
    await assert.rejects(client.getPrompt({ name: 'sweep' }), (error) => error.code === -32602);
  },
};

// What only sessions have; tests/app/resources.py listens as 2026-07-28 does.
const sessionCases = {
  async 'a watched resource tells that it changed'(peer) {
    const { client } = peer;
    const told = [];
    let wake = () => {};
    client.fallbackNotificationHandler = async (notification) => {
      told.push(notification);
      wake();
    };
    const uri = 'mahavishnu://pool/default';
    await client.subscribeResource({ uri });
    const heard = new Promise((resolve) => (wake = resolve));
    await peer.answer('task_submit', { command: 'true', repo: 'alpha', wait_ms: 20_000 });
    await heard;
    assert.equal(told[0].method, 'notifications/resources/updated');
    assert.equal(told[0].params.uri, uri);
    await client.unsubscribeResource({ uri });
  },
};

async function drive(sdk, door, transport) {
  const name = `${sdk.name}, ${door}`;
  const client = sdk.client();
  const peer = new Peer(sdk, client);
  let open = false;
  await check(`${name}: connects and agrees on ${sdk.revision}`, async () => {
    await client.connect(transport, { timeout: longest });
    open = true;
    const agreed = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
    if (agreed !== undefined) assert.equal(agreed, sdk.revision);
    assert.equal(client.getServerVersion().name, 'mahavishnu');
    assert.match(client.getInstructions?.() ?? 'repo_list', /repo_list/);
    if (sdk.revision < '2026-07-28') await client.ping();
  });
  if (!open) return;
  const all = { ...cases, ...(sdk.revision < '2026-07-28' ? sessionCases : {}) };
  for (const [title, run] of Object.entries(all)) await check(`${name}: ${title}`, () => run(peer));
  await check(`${name}: closes`, () => client.close());
}

// Passes everything on, but breaks the first event stream that answers a POST after its first bytes.
function breakingFetch(broken) {
  return async (url, init) => {
    const response = await fetch(url, init);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    if (broken.count > 0 || init?.method !== 'POST' || !isStream) return response;
    broken.count += 1;
    const reader = response.body.getReader();
    const first = await reader.read();
    const body = new ReadableStream({
      start: (stream) => stream.enqueue(first.value),
      async pull(stream) {
        await reader.cancel();
        stream.error(new Error('the connection broke'));
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

async function brokenStream(server) {
  const sdk = (await sdks()).find(({ name }) => name === 'sdk 1.32.2');
  await check(`${sdk.name}, http: a call whose stream breaks is answered where the client comes back`, async () => {
    const broken = { count: 0 };
    const requestInit = { headers: { authorization: `Bearer ${server.token}` } };
    const client = sdk.client();
    const peer = new Peer(sdk, client);
    await client.connect(sdk.http(server.url, { requestInit, fetch: breakingFetch(broken) }));
    const wait = { command: 'sleep 3; echo slept', repo: 'alpha', wait_ms: 20_000 };
    const ended = await peer.answer('task_submit', wait, { onprogress: () => {} });
    assert.equal(ended.state, 'completed');
    assert.equal(broken.count, 1);
    await client.close();
  });
}

// What a hand at a terminal types, and what a script posts.
async function byHand(world, server) {
  await check('stdio by hand: a bare tools/list is answered, and the end of input ends it', async () => {
    const child = world.spawn(world.serveArguments('--stdio', '--in-process'), ['pipe', 'pipe', 'ignore']);
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.stdin.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n{oops\n');
    const lines = [];
    for await (const line of createInterface({ input: child.stdout })) lines.push(JSON.parse(line));
    assert.equal(await ended, 0);
    assert.equal(lines.length, 2);
    assert.equal(lines[0].result.tools[0].name, 'repo_list');
    assert.equal(lines[1].error.code, -32700);
  });

  const post = (path, body, headers = {}) =>
    fetch(server.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.token}`, ...headers },
      body: JSON.stringify(body),
    });

  await check('scripts: the structured result is the body', async () => {
    const response = await post('/tools/call', { name: 'repo_list', arguments: {} });
    assert.equal(response.status, 200);
    assert.equal((await response.json()).items.length, repositories.length);
  });
  await check('scripts: failures have their status', async () => {
    const cases = [
      [{ name: 'repo_lst' }, 404],
      [{ name: 'repo_list', arguments: { tagg: 'x' } }, 400],
      [{ name: 'repo_list', argumets: {} }, 400],
      [{ name: 'task_get', arguments: { task: 'task_01J00000000000000000000000' } }, 404],
    ];
    for (const [body, status] of cases) {
      const response = await post('/tools/call', body);
      const { error } = await response.json();
      assert.equal(response.status, status, error.message);
      assert.ok(error.code && error.message);
    }
  });
  await check('http: no token is 401, a foreign Origin 403', async () => {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    assert.equal((await post('/mcp', list, { authorization: '' })).status, 401);
    assert.equal((await post('/mcp', list, { authorization: 'Bearer wrong' })).status, 401);
    assert.equal((await post('/mcp', list, { origin: 'http://evil.example.com' })).status, 403);
  });
}

const binary = process.argv[2];
if (!binary) {
  console.error('usage: node clients.mjs BINARY');
  process.exit(2);
}
const world = new World(binary);
try {
  const server = await world.serveHttp();
  for (const sdk of await sdks()) {
    const words = world.serveArguments('--stdio', '--in-process');
    const stdio = { command: binary, args: words, env: world.environment, cwd: world.folder, stderr: 'ignore' };
    await drive(sdk, 'stdio', sdk.stdio(stdio));
    const headers = { authorization: `Bearer ${server.token}` };
    if (sdk.http) await drive(sdk, 'http', sdk.http(server.url, { requestInit: { headers } }));
    if (sdk.sse) await drive(sdk, 'sse', sdk.sse(new URL('/sse', server.url), headers));
  }
  await brokenStream(server);
  await inspector(world, server, check);
  await byHand(world, server);
  await tokens(world, check);
  await extTasks(world, server, check);
  await memorySync(world, check);
  await toolPools(world, check);
} catch (error) {
  failed += 1;
  console.log(`not ok the tests could not go on\n    ${error.stack}`);
} finally {
  await world.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
