// SPDX-License-Identifier: MIT
//
// Judges the JSON Schema of the configuration: node config_schema.mjs SCHEMA FILE...
// The schema must be one, by ajv's strict rules; each FILE, a configuration as `warren config show -o json`
// writes it, must fit; and the last of them must no longer fit with any mistake of the table below. A
// line for each thing that is not so and exit 1, else a line that says how much was looked at.
import { readFileSync } from 'node:fs';
import Ajv from 'ajv';

const [schemaFile, ...files] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const problems = [];

// Where, what stands there then (undefined: nothing), and what ajv has to say against it.
const mistakes = [
  ['namespace', 'a b', 'pattern'],
  ['namespace', '', 'minLength'],
  ['namespace', 'n'.repeat(61), 'maxLength'],
  ['namespace', undefined, 'required'],
  ['threds', 4, 'additionalProperties'],
  ['threads', 0, 'anyOf'],
  ['threads', 'many', 'anyOf'],
  ['topology', 'create', 'enum'],
  ['drain_timeout', '90', 'pattern'],
  ['drain_timeout', 90, 'type'],
  ['drain_timeout', '1.5s', 'pattern'],
  ['drain_timeout', '01s', 'pattern'],
  ['plugins', 'a.so', 'type'],
  ['plugins.0', '', 'minLength'],
  ['broker.hartbeat', '10s', 'additionalProperties'],
  ['broker.heartbeat', '0s', 'pattern'],
  ['broker.password', 'hunter2', 'enum'],
  ['broker.login', 'kerberos', 'enum'],
  ['broker.tls', null, 'type'],
  ['broker.tls.verify', 'true', 'type'],
  ['limits.body', '1 MiB', 'pattern'],
  ['limits.body', '1MB', 'pattern'],
  ['limits.headers', 1001, 'maximum'],
  ['limits.headers', -1, 'minimum'],
  ['publish.window', 1.5, 'type'],
  ['control.enabled', 'yes', 'type'],
  ['log.level', 'loud', 'enum'],
  ['log.format', null, 'type'],
  ['trace.sample', 1.01, 'maximum'],
  ['delay.max', '-1s', 'pattern'],
  ['queues', {}, 'type'],
  ['queues.0.name', '', 'minLength'],
  ['queues.0.name', undefined, 'required'],
  ['queues.0.type', 'stream', 'enum'],
  ['queues.0.prefetch', 65536, 'anyOf'],
  ['queues.0.retry.attempts', 0, 'minimum'],
  ['queues.0.retry.backoff', 'linear', 'enum'],
  ['queues.0.retry.jitter', 2, 'maximum'],
  ['queues.0.retry.delays', Array(33).fill('1s'), 'maxItems'],
  ['queues.0.retry.delays', ['soon'], 'pattern'],
  ['queues.0.jobs.0.type', 7, 'type'],
  ['queues.0.jobs.0.concurrency', 1025, 'maximum'],
  ['queues.0.jobs.0.timeout', 'never', 'pattern'],
  ['queues.0.jobs.0.retry.max', undefined, 'required'],
  ['queues.0.jobs.0.retries', 3, 'additionalProperties'],
];

function spoil(root, path, value) {
  const names = path.split('.');
  const last = names.pop();
  const group = names.reduce((at, name) => at[name], root);
  if (value === undefined) delete group[last];
  else group[last] = value;
}

const schema = read(schemaFile);
const fits = new Ajv({ strict: true, strictTypes: true, allErrors: true }).compile(schema);
for (const file of files) {
  if (!fits(read(file)))
    for (const error of fits.errors) problems.push(`${file}: ${error.instancePath}: ${error.message}`);
}
for (const [path, value, keyword] of mistakes) {
  const root = read(files.at(-1));
  spoil(root, path, value);
  const said = fits(root) ? [] : fits.errors.map((error) => error.keyword);
  if (!said.includes(keyword))
    problems.push(`${path} = ${JSON.stringify(value)}: got [${said}], want ${keyword}`);
}

if (problems.length) {
  console.log(problems.join('\n'));
  process.exit(1);
}
console.log(`${files.length} configurations fit, ${mistakes.length} mistakes don't`);
