// Requires the Node.js of `engines` in package.json. The library imports this file first.

/** The first release whose SQLite and type stripping print no warning. */
const [minMajor, minMinor] = [24, 16];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < minMajor || (major === minMajor && minor < minMinor))
  throw new Error(
    `Bienvenue needs Node.js ${minMajor}.${minMinor} or later. This program runs on ${process.versions.node}. Install Node.js 24 LTS (https://nodejs.org).`,
  );
