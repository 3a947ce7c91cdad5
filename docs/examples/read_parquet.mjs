// Edges of an export in JavaScript: node read_parquet.mjs EXPORT
// Needs: npm install hyparquet hyparquet-compressors. Ids are BigInt, exact; one JSON line per edge, ids as text.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

// Packages are those of the folder one works in.
const require = createRequire(path.join(process.cwd(), "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { parquetReadObjects } = await load("hyparquet");
const { compressors } = await load("hyparquet-compressors");

const files = readdirSync(process.argv[2], { recursive: true })
  .filter((name) => name.includes("/3B/edge_catalogue/") && name.endsWith(".parquet"))
  .sort();
for (const name of files) {
  const bytes = readFileSync(path.join(process.argv[2], name));
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const columns = ["merchant_id", "edge_id", "edge_weight"];
  for (const row of await parquetReadObjects({ file, compressors, columns })) {
    console.log(JSON.stringify({ ...row, merchant_id: String(BigInt.asUintN(64, BigInt(row.merchant_id))) }));
  }
}
