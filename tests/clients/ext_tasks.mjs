// Tasks by the extension's own client, in both of its generations, over stdio and HTTP.
//
// The package frames and follows tasks, the SDK client has the connection. In 2026-07-28 it wants a
// way past the client, whose results are checked against revisions without tasks: `dispatchers`.
import assert from 'node:assert/strict';

import {
  createTaskSessionFromClient,
  resultFromTaskOutcome,
  toolDeclarationFromMcpTool,
} from '@modelcontextprotocol/ext-tasks/client';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const modern = '2026-07-28';
const who = { name: 'client-tests', version: '1.0.0' };
const capabilities = { elicitation: {} };

// Requests beside those of the SDK client: on its own pipe, or by a POST each.
const dispatchers = {
  stdio(transport) {
    const open = new Map();
    const ofClient = transport.onmessage;
    transport.onmessage = (message, extra) => {
      const answer = open.get(message.id);
      if (!answer) return ofClient?.(message, extra);
      open.delete(message.id);
      return answer(message);
    };
    return (request) => {
      const id = `raw-${(dispatchers.sent += 1)}`;
      const answered = new Promise((resolve) => open.set(id, resolve));
      return transport.send({ jsonrpc: '2.0', id, ...request }).then(() => answered);
    };
  },
  http(transport, server) {
    return async (request) => {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${server.token}`,
          'mcp-protocol-version': modern,
          'mcp-method': request.method,
          'mcp-name': request.params.name ?? request.params.taskId,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: (dispatchers.sent += 1), ...request }),
      });
      return response.json();
    };
  },
  sent: 0,
};

const asTask = { task: { preference: 'prefer' } }; // 2025-11-25 has it only on demand

const cases = {
  async 'work is followed to its end'(session) {
    const execution = await session.callTool('task_submit', { command: 'sleep 0.2; echo followed' }, asTask);
    assert.equal(execution.kind, 'task');
    const { outcome } = await execution.settle();
    assert.equal(outcome.status, 'completed');
    assert.equal(resultFromTaskOutcome(outcome).structuredContent.result.text, 'followed\n');
  },
  async 'a failed task is a result that says so'(session) {
    const execution = await session.callTool('task_submit', { command: 'exit 3' }, asTask);
    const result = resultFromTaskOutcome((await execution.settle()).outcome);
    assert.equal(result.structuredContent.state, 'failed');
    assert.equal(result.structuredContent.reason, 'exit_code');
  },
  async 'cancelling ends it'(session) {
    const execution = await session.callTool('task_submit', { command: 'sleep 1000' }, asTask);
    const settled = execution.settle();
    await execution.cancel();
    assert.equal((await settled).outcome.status, 'cancelled');
  },
  async 'what becomes of the work of a pool is asked and answered'(session, asked) {
    const pool = `busy-${asked.door}`;
    const immediate = async (tool, args) => {
      const execution = await session.callTool(tool, args);
      return resultFromTaskOutcome((await execution.settle()).outcome).structuredContent;
    };
    await immediate('pool_spawn', { name: pool, max_workers: 1 });
    const work = await session.callTool('task_submit', { command: 'sleep 1000', pool }, asTask);
    const task = work.handle.taskId.split('.')[0];
    for (let state; state !== 'running'; ) {
      ({ state } = await immediate('task_get', { task, wait_ms: 1000, until: 'change' }));
    }
    // In 2025-11-25 on the stream of the call: this client never asks for the result of a task that
    // needs an answer, where that revision's questions would come.
    const closed = await immediate('pool_close', { pool, mode: 'now', wait_ms: 20000 });
    assert.equal(closed.cancelled, 1);
    assert.match(asked.message, /1 task running/);
    assert.equal((await work.settle()).outcome.status, 'cancelled');
  },
};

async function drive(mode, door, transport, server, check) {
  const asked = { door: `${mode === 'legacy' ? 'legacy' : 'modern'}-${door}` };
  const client = new Client(who, { capabilities, versionNegotiation: { mode } });
  const options = { endpointId: `test-${asked.door}` };
  options.onInputRequest = async (request) => {
    asked.message = request.params.message;
    return { action: 'accept', content: { work: 'abort' } };
  };
  let session;
  await check(`ext-tasks 0.2.2, ${asked.door}: begins`, async () => {
    await client.connect(transport);
    const { tools } = await client.listTools();
    const declared = new Map(tools.map((tool) => [tool.name, toolDeclarationFromMcpTool(tool)]));
    options.tools = { currentTool: (name) => declared.get(name) };
    if (mode !== 'legacy') {
      options.rawDispatch = dispatchers[door](transport, server);
      options.v2RequestFraming = { protocolVersion: modern, clientInfo: who, clientCapabilities: capabilities };
    }
    session = createTaskSessionFromClient(client, options);
  });
  if (session === undefined) return;
  for (const [title, run] of Object.entries(cases)) {
    await check(`ext-tasks 0.2.2, ${asked.door}: ${title}`, () => run(session, asked));
  }
  await session.close();
  await client.close();
}

export async function extTasks(world, server, check) {
  for (const mode of ['legacy', { pin: modern }]) {
    const words = world.serveArguments('--stdio', '--in-process');
    const process = { command: world.binary, args: words, env: world.environment, cwd: world.folder, stderr: 'ignore' };
    await drive(mode, 'stdio', new StdioClientTransport(process), server, check);
    const requestInit = { headers: { authorization: `Bearer ${server.token}` } };
    await drive(mode, 'http', new StreamableHTTPClientTransport(server.url, { requestInit }), server, check);
  }
}
