// SPDX-License-Identifier: MIT
//
// Judges manifests: node manifests.mjs FILE... ("-" is standard input; kustomizations and patches are left out).
// Each object is set against the schema of its kind, and then walked, since the schemas let fields through
// that they don't know: over the attribute maps of Kubernetes' own client, over the declarations of the custom
// resources' models, and over fields.mjs for RabbitMQ's, which have no package. A line for each problem
// and exit 1, else a line that says how many objects of which kinds were looked at.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import * as client from '@kubernetes/client-node';
import yaml from 'js-yaml';
import { rabbitmq } from './fields.mjs';

const require = createRequire(import.meta.url);
const problems = [];
const seen = {};

// --- custom resources: the fields of an interface, from its declaration --------------------------------

// A type of a .d.ts as a tree: { fields: {name: tree} }, { list: tree }, { values: tree } or { any: true }.
function parseType(text, at) {
  const skip = () => {
    for (;;) {
      const rest = text.slice(at).match(/^(\s+|\/\*[\s\S]*?\*\/|\/\/.*)/);
      if (!rest) return;
      at += rest[0].length;
    }
  };
  const object = () => {
    const tree = { fields: {} };
    at++;
    for (skip(); text[at] !== '}'; skip()) {
      const key = text.slice(at).match(/^("([^"]+)"|\[key: string\])\??\s*:/);
      if (!key) throw new Error(`can't read the declaration at: ${text.slice(at, at + 60)}`);
      at += key[0].length;
      const type = union();
      if (key[2]) tree.fields[key[2]] = type;
      else tree.values = type;
      skip();
      if (text[at] === ';') at++;
    }
    at++;
    return tree;
  };
  const one = () => {
    skip();
    if (text[at] === '{') return object();
    if (text.startsWith('Array<', at)) {
      at += 6;
      const list = union();
      skip();
      at++; // ">"
      return { list };
    }
    const word = text.slice(at).match(/^("[^"]*"|[\w.]+(\[\])?)/);
    if (!word) throw new Error(`can't read the declaration at: ${text.slice(at, at + 60)}`);
    at += word[0].length;
    return { any: true };
  };
  const union = () => {
    let tree = one();
    for (skip(); text[at] === '|'; skip()) {
      at++;
      const other = one();
      tree = tree.any ? other : tree;
    }
    return tree;
  };
  return union();
}

function declarationOf(path, kind) {
  const text = readFileSync(require.resolve(path).replace(/\.m?js$/, '.d.ts'), 'utf8');
  const begin = text.indexOf(`export interface I${kind} `);
  return parseType(text, text.indexOf('{', begin));
}

function walkTree(value, tree, path, note) {
  const isOpen = !tree || tree.any || (tree.fields && !tree.values && !Object.keys(tree.fields).length);
  if (isOpen || value === null || typeof value !== 'object') return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => walkTree(item, tree.list, `${path}[${i}]`, note));
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    const next = (tree.fields && tree.fields[key]) ?? tree.values;
    if (!next) note(`${path}.${key} is unknown`);
    else walkTree(item, next, `${path}.${key}`, note);
  }
}

// --- Kubernetes' own: the attribute maps of its client --------------------------------------------------

function walkClient(value, type, path, note) {
  const list = type.match(/^Array<(.+)>$/);
  const map = type.match(/^\{ \[key: string\]: (.+); \}$/);
  if (list) {
    (Array.isArray(value) ? value : []).forEach((item, i) => walkClient(item, list[1], `${path}[${i}]`, note));
  } else if (map) {
    Object.entries(value ?? {}).forEach(([key, item]) => walkClient(item, map[1], `${path}.${key}`, note));
  } else if (client[type]?.getAttributeTypeMap && value && typeof value === 'object') {
    const rows = client[type].getAttributeTypeMap();
    for (const [key, item] of Object.entries(value)) {
      const row = rows.find((one) => one.baseName === key);
      if (!row) note(`${path}.${key} is unknown`);
      else walkClient(item, row.type, `${path}.${key}`, note);
    }
  }
}

// --- types of the resources without a package ----------------------------------------------------------

// A field of fields.mjs is the type of its value, a list with one such, or an object of fields.
function walkTable(value, table, path, note) {
  if (Array.isArray(table)) {
    if (!Array.isArray(value)) note(`${path} is no list`);
    else value.forEach((item, i) => walkTable(item, table[0], `${path}[${i}]`, note));
  } else if (typeof table === 'string') {
    if (table !== 'any' && typeof value !== table) note(`${path} is a ${typeof value}, want a ${table}`);
  } else if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    note(`${path} is no mapping`);
  } else {
    for (const [key, item] of Object.entries(value)) {
      const name = key in table ? key : `${key}!`;
      if (!(name in table)) note(`${path}.${key} is unknown`);
      else walkTable(item, table[name], `${path}.${key}`, note);
    }
    for (const key of Object.keys(table).filter((one) => one.endsWith('!'))) {
      if (!(key.slice(0, -1) in value)) note(`${path}.${key.slice(0, -1)} is missing`);
    }
  }
}

// --- an object -----------------------------------------------------------------------------------------

const packages = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

function judge(object, note) {
  const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
  walkClient(object.metadata, 'V1ObjectMeta', 'metadata', note);
  if (group === 'rabbitmq.com') {
    if (!rabbitmq[object.kind]) note('an unknown kind');
    else walkTable({ spec: object.spec }, { 'spec!': rabbitmq[object.kind] }, object.kind, note);
    return;
  }
  const custom = packages[group];
  const path = custom ? `${custom}/${group}/${version}/${object.kind}` : `kubernetes-models/${group ? object.apiVersion : 'v1'}/${object.kind}`;
  let model;
  try {
    model = require(path)[object.kind];
  } catch {
    note(`no schema ${path}`);
    return;
  }
  try {
    new model(object).validate();
  } catch (error) {
    note(error.message.replace(/\s+/g, ' '));
  }
  if (custom) walkTree({ ...object, metadata: null }, declarationOf(path, object.kind), object.kind, note);
  else if (client[`V1${object.kind}`]) walkClient(object, `V1${object.kind}`, object.kind, note);
  else note('no attribute map');
}

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8');
  for (const object of yaml.loadAll(text)) {
    if (!object?.kind || !object.apiVersion || object.kind === 'Kustomization') continue;
    seen[object.kind] = (seen[object.kind] ?? 0) + 1;
    judge(object, (problem) => problems.push(`${file}: ${object.kind}/${object.metadata?.name}: ${problem}`));
  }
}
const total = Object.values(seen).reduce((a, b) => a + b, 0);
console.log(problems.length ? problems.join('\n') : `${total} objects: ${Object.keys(seen).sort().map((kind) => `${seen[kind]} ${kind}`).join(', ')}`);
process.exitCode = problems.length || !total ? 1 : 0;
