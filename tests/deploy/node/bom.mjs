// SPDX-License-Identifier: MIT
// Judges a bill of materials by the schema of CycloneDX 1.5: node bom.mjs FILE. A line for each fault.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const require = createRequire(import.meta.url);
const library = dirname(require.resolve('@cyclonedx/cyclonedx-library/package.json'));
const schema = (name) => JSON.parse(readFileSync(join(library, 'res', 'schema', `${name}.SNAPSHOT.schema.json`), 'utf8'));

// As the library's own validator has it: formats of international names are not looked at.
const ajv = new Ajv({
  allErrors: true,
  strict: false,
  schemas: ['spdx', 'jsf-0.82'].map((name) => ({ ...schema(name), $id: `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json` })),
  formats: { 'iri-reference': true, 'idn-email': true, string: true },
});
addFormats(ajv);
const validate = ajv.compile({ ...schema('bom-1.5'), $id: 'http://cyclonedx.org/schema/bom-1.5.SNAPSHOT.schema.json' });
const bom = JSON.parse(readFileSync(process.argv[2], 'utf8'));
if (!validate(bom)) {
  for (const fault of validate.errors) {
    console.log(`${fault.instancePath || '/'}: ${fault.message}`);
  }
  process.exit(1);
}
