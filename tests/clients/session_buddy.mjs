// A memory server as Session Buddy is one, built with the official SDK: sessions, answers as events,
// failures in text, 404 on a session that has expired. It shares no code with what it tests.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const text = (words) => ({ content: [{ type: 'text', text: words }] });
const string = { type: 'string' };

const tools = {
  ping: { properties: {} },
  store_reflection: {
    properties: { content: string, tags: { type: 'array', items: string } },
    required: ['content'],
  },
  store_conversation: {
    properties: { content: string, project: string, metadata: { type: 'object' } },
    required: ['content'],
  },
  fingerprint_search: {
    properties: { query: string, limit: { type: 'integer' }, threshold: { type: 'number' } },
    required: ['query'],
  },
};

export class SessionBuddy {
  // `served` are the names of its tools: a default start has store_reflection.
  constructor(served = ['ping', 'store_reflection', 'fingerprint_search']) {
    this.served = served;
    this.stored = [];
    this.sessions = new Map();
    this.opened = 0; // sessions, ever
    this.failure = ''; // what stores answer instead, as text
  }

  get url() {
    return `http://127.0.0.1:${this.port}/mcp`;
  }

  async listen() {
    this.http = createServer((request, response) => {
      this.handle(request, response).catch((error) => response.writeHead(500).end(String(error)));
    });
    this.http.listen(this.port ?? 0, '127.0.0.1');
    await once(this.http, 'listening');
    this.port = this.http.address().port;
  }

  async close() {
    this.http.close();
    this.http.closeAllConnections();
    await once(this.http, 'close');
    this.expire();
  }

  expire() {
    this.sessions.clear();
  }

  async handle(request, response) {
    if (request.url === '/health') return response.writeHead(200).end('ok');
    if (request.url !== '/mcp') return response.writeHead(404).end();
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined;
    const name = request.headers['mcp-session-id'];
    if (name && !this.sessions.has(name)) return response.writeHead(404).end();
    const transport = this.sessions.get(name) ?? (await this.open());
    await transport.handleRequest(request, response, body);
  }

  // The SDK's transport refuses whatever comes before `initialize`, and answers it with a session.
  async open() {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (name) => {
        this.sessions.set(name, transport);
        this.opened += 1;
      },
    });
    const server = new Server({ name: 'session-buddy', version: '0.23' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: this.served.map((name) => ({ name, inputSchema: { type: 'object', ...tools[name] } })),
    }));
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => this.call(params.name, params.arguments));
    await server.connect(transport);
    return transport;
  }

  call(name, given) {
    if (!this.served.includes(name)) return { ...text(`Unknown tool: ${name}`), isError: true };
    for (const key of Object.keys(given)) {
      if (!(key in tools[name].properties)) return { ...text(`unexpected argument ${key}`), isError: true };
    }
    if (name === 'fingerprint_search') return this.search(given);
    if (this.failure) return text(this.failure);
    if (given.content.length < 10) return text('❌ Content must have at least 10 characters');
    this.stored.push(given);
    return text(name === 'store_conversation' ? `Conversation ID: ${randomUUID()}` : '✅ Reflection stored');
  }

  search({ query, limit = 10 }) {
    const results = this.stored
      .filter(({ content }) => content.includes(query))
      .slice(0, limit)
      .map(({ content }, index) => ({ id: `r${index}`, content, similarity: 0.9 }));
    return {
      ...text(`${results.length} found`),
      structuredContent: { success: true, results, total_results: results.length },
    };
  }
}
