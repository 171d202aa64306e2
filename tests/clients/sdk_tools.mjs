// A server with a few tools, built with the official SDK: over HTTP with sessions, or on stdio when
// this file is run. What it lived through goes to `tell`. It shares no code with what it tests.
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js';

const text = (words) => ({ content: [{ type: 'text', text: words }] });

function toolServer(tell) {
  const tools = {
    echo: ({ words }) => ({ ...text(words), structuredContent: { words } }),
    fail: () => ({ ...text('the index is broken'), isError: true }),
    // Three steps; then, asked to, it waits until it is cancelled.
    slow: async ({ hang }, { signal, sendNotification, _meta }) => {
      for (let progress = 1; progress <= 3; progress += 1) {
        const params = { progressToken: _meta.progressToken, progress, total: 3, message: `part ${progress}` };
        await sendNotification({ method: 'notifications/progress', params });
      }
      if (hang) {
        tell('hangs');
        await once(signal, 'abort');
        tell('aborted');
      }
      return text('done');
    },
  };
  const server = new Server({ name: 'tools', version: '1.0.0' }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    const tool = tools[params.name];
    if (!tool) throw new McpError(ErrorCode.InvalidParams, `Tool ${params.name} not found`);
    return tool(params.arguments, extra);
  });
  return server;
}

export class HttpTools {
  constructor(token) {
    this.token = token;
    this.told = [];
    this.sessions = new Map();
    this.opened = 0;
  }

  async listen() {
    this.http = createServer((request, response) => {
      this.handle(request, response).catch((error) => response.writeHead(500).end(String(error)));
    });
    this.http.listen(0, '127.0.0.1');
    await once(this.http, 'listening');
    this.url = `http://127.0.0.1:${this.http.address().port}/deep/mcp/`;
  }

  async close() {
    this.http.close();
    this.http.closeAllConnections();
    await once(this.http, 'close');
  }

  async handle(request, response) {
    if (request.url !== '/deep/mcp/') return response.writeHead(307, { location: this.url }).end();
    if (request.headers.authorization !== `Bearer ${this.token}`) return response.writeHead(401).end();
    if (request.headers['x-team'] !== 'core') return response.writeHead(403).end();
    const name = request.headers['mcp-session-id'];
    if (name && !this.sessions.has(name)) return response.writeHead(404).end();
    const transport = this.sessions.get(name) ?? (await this.open());
    await transport.handleRequest(request, response);
  }

  async open() {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (name) => {
        this.sessions.set(name, transport);
        this.opened += 1;
      },
      onsessionclosed: (name) => this.sessions.delete(name),
    });
    await toolServer((what) => this.told.push(what)).connect(transport);
    return transport;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const tell = (what) => appendFileSync(process.env.TOLD, `${what}\n`);
  await toolServer(tell).connect(new StdioServerTransport());
}
