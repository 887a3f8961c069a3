// SPDX-License-Identifier: MIT
// Judges the syntax of a Containerfile: node containerfile.mjs FILE. A line for each fault.
import { readFileSync } from 'node:fs';
import utils from 'dockerfile-utils';

const faults = utils.validate(readFileSync(process.argv[2], 'utf8'));
for (const fault of faults) {
  console.log(`${fault.range.start.line + 1}: ${fault.message}`);
}
process.exit(faults.length ? 1 : 0);
