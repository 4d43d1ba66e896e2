// The program `bienvenue`.
import { run } from './cli/cli.ts';

await run(process.argv, { environment: process.env });
