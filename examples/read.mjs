// A user's list, masked, as JSON; else the nearest popular one (lookup/nightshelf/contract/keys.py):
//   REDIS_URL=redis://127.0.0.1:6390/0 node read.mjs <user id> [n] [namespace]
import { createHash } from "node:crypto";
import { ask, close } from "./resp.mjs"; // any client does

const [user, n = 10, namespace = "shop"] = process.argv.slice(2);
const percent = (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
const encode = (id) => encodeURIComponent(id).replace(/[!'()*]/g, percent);
const key = (...parts) => ["shelf", namespace, ...parts].join(":");
const json = async (...parts) => JSON.parse(await ask("GET", key(...parts)));

let { generation, default_model: model, canary } = (await json("current")) ?? {};
if (canary) {
  const hash = createHash("sha256").update(`${canary.generation}:${user}`).digest();
  if (hash.readUInt32BE() * 100 < canary.share * 2 ** 32) {
    ({ generation, default_model: model } = canary);
  }
}
const blocked = await ask("SMEMBERS", key("blocked"));
const unavailable = await ask("SMEMBERS", key("unavailable"));
const acted = await ask("ZRANGE", key("acted", encode(user)), "0", "-1");

async function stored(...parts) {
  const { items = [], scores, reasons, why } = (await json(generation, ...parts)) ?? {};
  const named = ([code, ...names]) => names.some((name) => blocked.includes(name));
  const reason = (at) => (named(reasons[at]) ? ["taste"] : reasons[at]);
  return items.map((item_id, i) => ({ item_id, score: scores[i], reason: reason(why[i]) }));
}

async function* rungs() {
  yield await stored("list", encode(model), encode(user));
  const { favorite_categories: names, segment } =
    (await json(generation, "user", encode(user))) ?? {};
  const favorites = [];
  for (const name of (names ?? []).slice(0, 5)) {
    favorites.push(...(await stored("popular", "category", encode(name))).entries());
  }
  yield favorites.sort(([a], [b]) => a - b).map(([, item]) => item); // from each in turn
  if (segment) yield await stored("popular", "segment", encode(segment));
  yield await stored("popular", "all");
}

let page = [];
for await (const list of rungs()) {
  const gone = new Set([...blocked, ...unavailable, ...acted]);
  page = list.filter(({ item_id }) => !gone.has(item_id) && gone.add(item_id)).slice(0, n);
  if (page.length) break;
}
console.log(JSON.stringify(page));
close();
