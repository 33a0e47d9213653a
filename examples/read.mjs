// A user's list, masked, as JSON; else the nearest popular one (lookup/nightshelf/contract/__init__.py):
//   REDIS_URL=redis://127.0.0.1:6390/0 node read.mjs <user id> [n] [namespace]
import { assigned, inCanary } from "./assign.mjs";
import { ask, close } from "./resp.mjs"; // any client does

const [user, n = 10, namespace = "shop"] = process.argv.slice(2);
const percent = (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`;
const encode = (id) => encodeURIComponent(id).replace(/[!'()*]/g, percent);
const own = (name) => `shelf:{${namespace}}:${name}`;
const key = (...parts) => ["shelf", namespace, ...parts].join(":");
const tag = `{${encode(user)}}`; // ends every key of the user
const json = async (name) => JSON.parse(await ask("GET", name));

const live = (await json(own("current"))) ?? {};
const { generation, default_model: model } =
  live.canary && inCanary(user, live.canary) ? live.canary : live;
const variant = assigned(live.experiments, user); // to be named in the impressions
const blocked = await ask("SMEMBERS", own("blocked"));
const unavailable = await ask("SMEMBERS", own("unavailable"));
const masked = await ask("ZRANGE", key("masked", tag), "0", "-1");

async function stored(...parts) {
  const { items = [], scores, reasons, why } = (await json(key(generation, ...parts))) ?? {};
  const named = ([code, ...names]) => names.some((name) => blocked.includes(name));
  const reason = (at) => (named(reasons[at]) ? ["taste"] : reasons[at]);
  return items.map((item_id, i) => ({ item_id, score: scores[i], reason: reason(why[i]) }));
}

async function* levels() {
  if (variant) yield await stored("list", encode(variant.model), tag);
  yield await stored("list", encode(model), tag);
  const { favorite_categories: names, segment } =
    (await json(key(generation, "user", tag))) ?? {};
  const favorites = [];
  for (const name of (names ?? []).slice(0, 5)) {
    favorites.push(...(await stored("popular", "category", encode(name))).entries());
  }
  yield favorites.sort(([a], [b]) => a - b).map(([, item]) => item); // from each in turn
  if (segment) yield await stored("popular", "segment", encode(segment));
  yield await stored("popular", "all");
}

let page = [];
for await (const list of levels()) {
  const gone = new Set([...blocked, ...unavailable, ...masked]);
  page = list.filter(({ item_id }) => !gone.has(item_id) && gone.add(item_id)).slice(0, n);
  if (page.length) break;
}
console.log(JSON.stringify(page));
close();
