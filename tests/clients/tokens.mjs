// What the server costs a model: its tools and its longest answers, counted by a public tokenizer.
// Others count differently by some per cent; answers are cut by an estimate that tells rather too many.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';

import { Tiktoken } from 'js-tiktoken/lite';
import ranks from 'js-tiktoken/ranks/o200k_base';

const o200k = new Tiktoken(ranks);
const tokensOf = (value) => o200k.encode(JSON.stringify(value), 'all').length;

// Outputs of 40,000 bytes and more; the last is the worst a page of output can hold.
const outputs = {
  'a listing': 'ls -la /usr/bin /usr/lib /etc',
  'a hex dump': 'head -c 12000 /proc/self/exe | od -A x -t x1z',
  'control characters': 'i=0; while [ $i -lt 4000 ]; do printf "\\033[31mred\\033[0m"; i=$((i+1)); done',
};

export async function tokens(world, check) {
  const server = await world.serveHttp({ flags: ['--toolsets', 'all'] });
  const call = async (name, args) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${server.token}` };
    const body = JSON.stringify({ name, arguments: args });
    const response = await fetch(`${server.origin}/tools/call`, { method: 'POST', headers, body });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  };

  await check('tokens: the tools that are served by default take at most 8,000', async () => {
    const child = world.spawn(world.serveArguments('--stdio', '--in-process'), ['pipe', 'pipe', 'ignore']);
    child.stdin.end('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n');
    const { result } = JSON.parse(await text(child.stdout));
    const count = tokensOf(result);
    assert.ok(count > 1000 && count <= 8000, `${count}`);
  });

  await check('tokens: a page of whatever is long takes at most 10,000', async () => {
    const tasks = Array.from({ length: 1000 }, (_, i) => ({ argv: ['true', String(i)], labels: { nightly: String(i) } }));
    const batch = await call('task_batch', { tasks, wait_ms: 45_000 });
    assert.ok(batch.left_out > 0 && tokensOf(batch) <= 10_000, `task_batch: ${tokensOf(batch)}`);
    const pages = [
      ['task_list', { limit: 500 }],
      ['log_search', { limit: 500 }],
      ['audit_search', { limit: 500 }],
      ['metrics_get', {}],
    ];
    for (const [tool, args] of pages) {
      const count = tokensOf(await call(tool, args));
      assert.ok(count <= 10_000, `${tool}: ${count}`);
    }
    const { items, next_cursor: more } = await call('task_list', { limit: 500 });
    assert.ok(items.length >= 50 && more, `${items.length} tasks`);
  });

  for (const [what, command] of Object.entries(outputs)) {
    await check(`tokens: ${what} is given in pieces of at most 10,000, and nothing is missing`, async () => {
      const { task, output_bytes: size } = await call('task_submit', { command, repo: 'alpha', wait_ms: 45_000 });
      assert.ok(size > 30_000, `${size} bytes`);
      let given = 0;
      for (let offset = 0, end = false; !end; ) {
        const page = await call('task_output', { task, offset, max_bytes: 32_768 });
        const count = tokensOf(page);
        assert.ok(count <= 10_000, `${count} for ${page.text.length} characters`);
        given += Buffer.byteLength(page.text);
        [offset, end] = [page.next_offset, page.eof];
      }
      assert.equal(given, size);
      const count = tokensOf(await call('task_get', { task }));
      assert.ok(count > 500 && count <= 10_000, `task_get: ${count}`);
    });
  }
  await world.kill(server);
}
