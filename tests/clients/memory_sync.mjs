// What finished tasks leave reaches a memory server that was built with the official SDK.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';

import { ScriptClient } from './script_client.mjs';
import { SessionBuddy } from './session_buddy.mjs';

const wait_ms = 45_000;

class Client extends ScriptClient {
  // So many tasks, ended.
  async run(count, word) {
    const tasks = Array.from({ length: count }, (_, index) => ({ command: `echo ${word} ${index}` }));
    await this.call('task_batch', { tasks, wait_ms });
  }

  // Once nothing waits any more.
  async synced() {
    for (;;) {
      const status = await this.call('memory_sync', { wait_ms });
      if (status.outbox === 0) return status;
    }
  }
}

// A tag that begins so, of every one stored.
const tagged = (stored, begin) => stored.map(({ tags }) => tags.find((tag) => tag.startsWith(begin)));

async function withDefaultTools(world, check) {
  const buddy = new SessionBuddy();
  await buddy.listen();
  const environment = { MAHAVISHNU_SESSION_BUDDY_URL: buddy.url };
  const server = await world.serveHttp({ environment });
  const client = new Client(server);

  await check('memory sync: each task arrives once, and says what it is about', async () => {
    await client.run(30, 'first');
    const status = await client.synced();
    assert.equal(status.spoken, 'mcp 2025-11-25, store_reflection');
    assert.equal(buddy.stored.length, 30);
    assert.equal(new Set(tagged(buddy.stored, 'item:mem_')).size, 30);
    assert.equal(new Set(tagged(buddy.stored, 'task:task_')).size, 30);
    assert.deepEqual(new Set(tagged(buddy.stored, 'pool:')), new Set(['pool:default']));
    assert.deepEqual(new Set(tagged(buddy.stored, 'status:')), new Set(['status:completed']));
    assert.equal(buddy.opened, 1);
  });

  await check('memory sync: a session that has expired is opened anew', async () => {
    buddy.expire();
    await client.run(5, 'second');
    await client.synced();
    assert.equal(buddy.opened, 2);
    assert.equal(new Set(tagged(buddy.stored, 'item:mem_')).size, 35);
  });

  await check('memory sync: a failure in text is one, and the memory is tried again', async () => {
    const { accepted } = await client.call('memory_sync');
    buddy.failure = '❌ Failed to store reflection: the database is locked';
    await client.run(1, 'third');
    let status = await client.call('memory_sync', { wait_ms: 500 });
    assert.equal(status.accepted, accepted);
    assert.match(status.last_error, /the database is locked/);
    buddy.failure = '';
    status = await client.synced();
    assert.equal(status.accepted, accepted + 1);
  });

  await check('memory sync: memory_search with scope all asks both', async () => {
    await client.run(1, 'zebra');
    await client.synced();
    const found = await client.call('memory_search', { query: 'zebra', scope: 'all' });
    assert.deepEqual(
      found.sources.map(({ source, answered }) => [source, answered]),
      [
        ['local', true],
        ['session_buddy', true],
      ],
    );
    assert.deepEqual(new Set(found.hits.map(({ source }) => source)), new Set(['local', 'session_buddy']));
  });

  await check('memory sync: what ended while it was away, and over a kill, arrives later', async () => {
    const before = buddy.stored.length;
    await buddy.close();
    await client.run(20, 'fourth');
    const down = await client.call('memory_sync', { wait_ms: 3000 });
    assert.equal(down.outbox, 20);
    assert.equal(down.dead, 0);
    assert.equal(down.state, 'down');
    const found = await client.call('memory_search', { query: 'fourth', scope: 'all' });
    assert.deepEqual(
      found.sources.map(({ answered }) => answered),
      [true, false],
    );
    await world.kill(server);
    const next = new Client(await world.serveHttp({ environment, data: server.data }));
    await buddy.listen();
    await next.synced();
    const items = tagged(buddy.stored.slice(before), 'item:mem_');
    assert.equal(new Set(items).size, 20);
    assert.equal(items.length, 20);
  });
  await buddy.close();
}

async function withConversations(world, check) {
  const buddy = new SessionBuddy(['store_conversation', 'store_reflection']);
  await buddy.listen();
  const server = await world.serveHttp({ environment: { MAHAVISHNU_SESSION_BUDDY_URL: buddy.url } });
  const client = new Client(server);
  await check('memory sync: store_conversation gets a project and metadata', async () => {
    await client.run(2, 'fifth');
    assert.equal((await client.synced()).spoken, 'mcp 2025-11-25, store_conversation');
    const [{ project, metadata }] = buddy.stored;
    assert.equal(project, 'mahavishnu');
    assert.equal(metadata.status, 'completed');
    assert.match(metadata.task, /^task_/);
  });
  await buddy.close();
}

// What third-party shims answer: no MCP, only POST …/tools/call.
async function withShim(world, check) {
  const stored = [];
  const shim = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url !== '/tools/call') return response.writeHead(404).end();
    const { name, arguments: given } = JSON.parse(Buffer.concat(chunks).toString());
    if (name !== 'store_memory') return response.writeHead(400).end();
    stored.push(given);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"success":true}');
  });
  shim.listen(0, '127.0.0.1');
  await once(shim, 'listening');
  const url = `http://127.0.0.1:${shim.address().port}`;
  const server = await world.serveHttp({ environment: { MAHAVISHNU_SESSION_BUDDY_URL: url } });
  const client = new Client(server);
  await check('memory sync: a shim without MCP is posted to', async () => {
    await client.run(3, 'sixth');
    assert.equal((await client.synced()).spoken, 'rest, store_memory');
    assert.equal(stored.length, 3);
    assert.equal(stored[0].metadata.pool, 'default');
  });
  shim.closeAllConnections();
  shim.close();
}

export async function memorySync(world, check) {
  await withDefaultTools(world, check);
  await withConversations(world, check);
  await withShim(world, check);
}
