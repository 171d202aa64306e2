// What the tests stand on: real git repositories in a scratch folder, and the real binary served
// over HTTP on a free port. Nothing outside the scratch folder is touched.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const repositories = ['alpha', 'beta', 'gamma'];

export class World {
  constructor(binary) {
    this.binary = binary;
    this.folder = mkdtempSync(join(tmpdir(), 'mahavishnu-clients-'));
    this.dataFolders = 0;
    this.children = new Set();
    for (const name of repositories) this.makeRepository(name);
    this.repos = join(this.folder, 'repos.yaml');
    writeFileSync(
      this.repos,
      'repos:\n' +
        repositories
          .map((name) => `  - name: ${name}\n    path: ${join(this.folder, name)}\n    tags: [test]\n`)
          .join(''),
    );
  }

  get environment() {
    return {
      PATH: process.env.PATH,
      HOME: this.folder,
      XDG_CONFIG_HOME: join(this.folder, 'config'),
      XDG_STATE_HOME: join(this.folder, 'state'),
      XDG_RUNTIME_DIR: this.folder,
    };
  }

  makeRepository(name) {
    const path = join(this.folder, name);
    mkdirSync(path);
    writeFileSync(join(path, 'name.txt'), `${name}\n`);
    // beta's test fails on purpose.
    writeFileSync(join(path, 'test.sh'), `echo testing ${name}\nexit ${name === 'beta' ? 3 : 0}\n`);
    const git = (...words) =>
      execFileSync('git', words, {
        cwd: path,
        env: {
          ...this.environment,
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_AUTHOR_NAME: 'Test',
          GIT_AUTHOR_EMAIL: 'test@example.com',
          GIT_COMMITTER_NAME: 'Test',
          GIT_COMMITTER_EMAIL: 'test@example.com',
        },
      });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
  }

  // Arguments of a server of its own; `door` is ['--stdio', '--in-process'] or ['--http', …].
  serveArguments(...door) {
    this.data = join(this.folder, `data-${++this.dataFolders}`);
    return this.argumentsFor(this.data, ...door);
  }

  argumentsFor(data, ...door) {
    return ['serve', ...door, '--repos', this.repos, '--data', data];
  }

  spawn(words, stdio, environment = {}) {
    const env = { ...this.environment, ...environment };
    const child = spawn(this.binary, words, { env, cwd: this.folder, stdio });
    this.children.add(child);
    child.on('exit', () => this.children.delete(child));
    return child;
  }

  // A server over HTTP: {origin, url, token, data, child}; with `data`, on that of an earlier one.
  async serveHttp({ environment = {}, data, flags = [] } = {}) {
    const door = ['--http', `127.0.0.1:${await freePort()}`];
    const port = door[1].split(':')[1];
    const words = data ? this.argumentsFor(data, ...door) : this.serveArguments(...door);
    const child = this.spawn([...words, ...flags], ['ignore', 'ignore', 'pipe'], environment);
    data ??= this.data;
    const said = [];
    await new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        said.push(line);
        if (line.includes('serving http')) resolve();
      });
      child.on('exit', (code) => reject(new Error(`serve ended with ${code}:\n${said.join('\n')}`)));
    });
    return {
      origin: `http://127.0.0.1:${port}`,
      url: new URL(`http://127.0.0.1:${port}/mcp`),
      token: readFileSync(join(data, 'token'), 'utf8').trim(),
      data,
      child,
    };
  }

  async kill({ child }) {
    const ended = new Promise((done) => child.on('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  async close() {
    const ended = [...this.children].map((child) => new Promise((done) => child.on('exit', done)));
    for (const child of this.children) child.kill('SIGTERM');
    await Promise.all(ended);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
