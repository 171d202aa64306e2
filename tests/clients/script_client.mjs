// What a script does: POST /tools/call with the token.
import assert from 'node:assert/strict';

export class ScriptClient {
  constructor(server) {
    this.server = server;
  }

  async call(name, args = {}) {
    const response = await fetch(`${this.server.origin}/tools/call`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.server.token}` },
      body: JSON.stringify({ name, arguments: args }),
    });
    const body = await response.json();
    assert.equal(response.status, 200, body.error?.message);
    return body;
  }
}
