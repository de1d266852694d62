// Validates a JSON list of Kubernetes objects on standard input with the validators of the npm package
// kubernetes-models. They let unknown members pass; what they never look at is therefore reported as unknown.
const path = require("node:path");

const MODELS = path.join(process.argv[2], "node_modules/kubernetes-models");
const GROUPS = {"v1": "CoreV1", "apps/v1": "AppsV1", "networking.k8s.io/v1": "NetworkingV1"};

function watched(data, at, unseen) {
  if (data === null || typeof data !== "object") return data;
  const children = {};
  for (const key of Object.keys(data)) {
    children[key] = watched(data[key], `${at}/${key}`, unseen);
    if (!Array.isArray(data)) unseen.add(`${at}/${key}`);
  }
  return new Proxy(Array.isArray(data) ? Object.values(children) : children, {
    get(target, key) {
      unseen.delete(`${at}/${String(key)}`);
      return target[key];
    },
  });
}

function validate(object) {
  const schema = require(path.join(MODELS, "_schemas", `IoK8sApi${GROUPS[object.apiVersion]}${object.kind}.js`));
  const unseen = new Set();
  const where = `${object.kind} ${object.metadata.name}`;
  const good = schema.validate(watched(object, "", unseen));
  const wrong = (good ? [] : schema.validate.errors).map((e) => `${where}: ${e.instancePath} ${e.keyword} ${JSON.stringify(e.params)}`);
  // An unknown member's own members are not looked at either: its name is enough.
  return wrong.concat([...unseen].filter((p) => !unseen.has(path.dirname(p)) || path.dirname(p) === "/")
    .map((p) => `${where}: ${p} is unknown`));
}

let text = "";
process.stdin.on("data", (chunk) => (text += chunk)).on("end", () => {
  const wrong = JSON.parse(text).flatMap(validate);
  wrong.forEach((line) => console.log(line));
  process.exit(wrong.length ? 1 : 0);
});
