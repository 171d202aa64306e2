// The official clients, each under one small face: connect(transport) and call(…).
//
// The 1.x releases are real old ones, each written by people who knew only its revision; 2.x speaks
// 2026-07-28 and, when told to, the handshake.
import * as v2 from '@modelcontextprotocol/client';
import * as v2Stdio from '@modelcontextprotocol/client/stdio';

const who = { name: 'client-tests', version: '1.0.0' };

// Of HTTP+SSE. The stream's own request takes no headers in the oldest of them.
function sseFace({ SSEClientTransport }) {
  return (url, headers) => {
    const withHeaders = (at, init) => {
      const all = { ...Object.fromEntries(new Headers(init?.headers)), ...headers };
      return fetch(at, { ...init, headers: all });
    };
    return new SSEClientTransport(url, { requestInit: { headers }, eventSourceInit: { fetch: withHeaders } });
  };
}

// One 1.x release. `http` is missing before 1.10.
async function v1(packageName) {
  const { Client } = await import(`${packageName}/client/index.js`);
  const { StdioClientTransport } = await import(`${packageName}/client/stdio.js`);
  const http = await import(`${packageName}/client/streamableHttp.js`).catch(() => null);
  return {
    stdio: (options) => new StdioClientTransport(options),
    http: http && ((url, options) => new http.StreamableHTTPClientTransport(url, options)),
    sse: sseFace(await import(`${packageName}/client/sse.js`)),
    client: () => new Client(who, { capabilities: {} }),
    call: (client, params, options) => client.callTool(params, undefined, options),
  };
}

function v2Face(mode) {
  return {
    stdio: (options) => new v2Stdio.StdioClientTransport(options),
    http: (url, options) => new v2.StreamableHTTPClientTransport(url, options),
    sse: mode === 'legacy' ? sseFace(v2) : null, // a transport of the handshake
    client: () => new v2.Client(who, { capabilities: {}, versionNegotiation: { mode } }),
    call: (client, params, options) => client.callTool(params, options),
  };
}

// What is expected of a connection follows from the revision it must end up with.
export async function sdks() {
  return [
    { name: 'sdk 1.9.0', revision: '2024-11-05', ...(await v1('sdk-2024-11-05')) },
    { name: 'sdk 1.12.3', revision: '2025-03-26', ...(await v1('sdk-2025-03-26')) },
    { name: 'sdk 1.20.2', revision: '2025-06-18', ...(await v1('sdk-2025-06-18')) },
    { name: 'sdk 1.32.2', revision: '2025-11-25', ...(await v1('@modelcontextprotocol/sdk')) },
    { name: 'client 2.4.0 legacy', revision: '2025-11-25', ...v2Face('legacy') },
    { name: 'client 2.4.0 auto', revision: '2026-07-28', ...v2Face('auto') },
    { name: 'client 2.4.0 pinned', revision: '2026-07-28', ...v2Face({ pin: '2026-07-28' }) },
  ];
}
