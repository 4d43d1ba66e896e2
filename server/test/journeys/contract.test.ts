// The end-to-end client of the contract finds no difference against a service on SQLite. On PostgreSQL, and with two
// processes: contract.system.ts.
import { testContract } from './contract-client.ts';

testContract('sqlite');
