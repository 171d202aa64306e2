// A baseline of the rpc benchmark: the TypeScript SDK's own server with the two measured tools,
// which answer a result read once from a file. usage: node server.mjs RESULT_FILE TOKEN
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { z } from 'zod';

const [resultFile, token] = process.argv.slice(2);
const structuredContent = JSON.parse(readFileSync(resultFile, 'utf8'));
const result = {
  content: [{ type: 'text', text: JSON.stringify(structuredContent) }],
  structuredContent,
};

const handle = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: 'perf-sdk-server', version: '1.0.0' });
    for (const name of ['repo_list', 'task_get']) {
      server.registerTool(
        name,
        {
          description: 'Answers a fixed result.',
          inputSchema: z.object({ task: z.string().optional() }),
        },
        async () => result,
      );
    }
    return server;
  }, { responseMode: 'json' }),
);

const http = createServer((request, response) => {
  if (request.headers.authorization !== `Bearer ${token}`) {
    response.writeHead(401).end();
    return;
  }
  handle(request, response);
});
http.keepAliveTimeout = 0;
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
