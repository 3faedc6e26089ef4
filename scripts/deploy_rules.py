"""What the schemas of deploy/compose.yaml and deploy/kubernetes.yaml cannot see. Run by scripts/deploy.

The server itself reads the settings of both files, and answers their probes. The rest is arithmetic: times, ports, addresses,
numbers of servers.
"""

import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import tomllib

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER = pathlib.Path(sys.argv[1]).resolve()
# In the place of what a Secret holds.
SECRET = {"PGPASSWORD": "not-the-one", "SCOREBOARD_REDIS__URL": "rediss://:not-the-one@redis"}
READY_WITHIN = 30

problems = []


def must(holds, text):
    if not holds:
        problems.append(text)


def seconds(text):
    parts = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", str(text))
    must(parts, f"{text}: is no time in minutes and seconds")
    return 60 * int(parts[1] or 0) + int(parts[2] or 0) if parts else 0


def mebibytes(text):
    parts = re.fullmatch(r"(\d+)(m|g|Mi|Gi)", str(text))
    must(parts, f"{text}: is no size in mebibytes or gibibytes")
    return int(parts[1]) * (1024 if parts[2][0] in "gG" else 1) if parts else 0


def constant(path, pattern):
    found = re.search(pattern, (ROOT / path).read_text())
    if not found:
        sys.exit(f"error: {path} has no `{pattern}` any more")
    return found[1]


# What a server takes besides ranks and answers in memory: itself, live connections, passwords that are hashed.
BESIDES = 128

# How long requests may take after the drain window: not a setting.
FINISH = int(constant("scoreboard-axum/src/serve.rs", r"finish: Duration::from_secs\((\d+)\)"))


def settings(where, environment):
    """What the server makes of these variables, as it says itself; nothing if it refuses them."""
    command = subprocess.run([SERVER, "config"], env=environment, cwd="/", capture_output=True, text=True)
    must(command.returncode == 0, f"{where}: {command.stderr.strip()}")
    return tomllib.loads(command.stdout) if command.returncode == 0 else None


def check_server(where, environment, grace, nodes, memory):
    """The settings of one server, and what they ask of the place that it runs in. Returns the port that it listens on."""
    found = settings(where, environment)
    if found is None:
        return None
    # The goodbye of the last live connection takes up to a second.
    needs = max(found["notice_seconds"], found["drain_seconds"] + 1) + FINISH
    must(grace > needs, f"{where}: is killed {grace} s after it was asked to stop, and may need {needs} s and a moment")
    # Ranks take twice their room while they are read; a quarter more than the answers is kept in case the database goes away.
    takes = 2 * found["ranks"]["megabytes"] + found["cache"]["megabytes"] * 5 // 4 + BESIDES
    must(memory >= takes, f"{where}: is killed at {memory} MiB, and may take {takes}")
    must(found["redis"]["nodes"] == nodes, f"{where}: {nodes} servers, and redis.nodes is {found['redis']['nodes']}")
    must(found["store"]["durability"] == "required", f"{where}: may use a database that loses what it acknowledged")
    must(found["trusted_proxies"], f"{where}: trusts no proxy, so all clients share one address' limits")
    host, port = found["listen"].rsplit(":", 1)
    must(host == "0.0.0.0", f"{where}: listens on {host}, where nobody outside of its container reaches it")
    return int(port)


def check_image(where, image):
    version = constant("Cargo.toml", r'(?m)^version = "([^"]+)"')
    must(image == f"scoreboard-server:{version}", f"{where}: runs {image}, and this is version {version}")


def dockerfile():
    rust = constant("Cargo.toml", r'(?m)^rust-version = "([^"]+)"')
    built_by = constant("deploy/Dockerfile", r"FROM rust:([\d.]+)-")
    must(built_by == rust, f"Dockerfile: builds with Rust {built_by}, and {rust} is the oldest that is tested")


def compose():
    """Returns the command that asks for a server's health, and the port that it asks."""
    where = "compose.yaml"
    file = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    services = file["services"]
    image = services["keys"]["image"]
    check_image(f"{where}, keys", image)
    servers = {name: it for name, it in services.items() if it["image"] == image and name != "keys"}
    places, probe = set(), None
    for name, service in servers.items():
        port = check_server(
            f"{where}, {name}",
            service["environment"],
            seconds(service["stop_grace_period"]),
            len(servers),
            mebibytes(service["mem_limit"]),
        )
        places.add(f"{service['networks']['inside']['ipv4_address']}:{port}")
        probe = (service["healthcheck"]["test"], port)
        needed = {need: it["condition"] for need, it in service["depends_on"].items()}
        must(needed.get("keys") == "service_completed_successfully", f"{where}, {name}: may start before its keys are there")
        must(needed.get("postgres") == "service_healthy", f"{where}, {name}: may start before PostgreSQL answers")

    nginx = services["nginx"]
    conf = (ROOT / "deploy/nginx.conf").read_text()
    replaced = re.findall(r"s/([\d.:]+)/([\d.:]+)/", nginx["command"][-1])
    given = re.findall(r"^ +server ([\d.:]+) ", conf, re.MULTILINE)
    must(sorted(old for old, _ in replaced) == sorted(given), f"{where}, nginx: replaces other addresses than nginx.conf has")
    must({new for _, new in replaced} == places, f"{where}, nginx: asks other addresses than the servers': {sorted(places)}")
    trusted = {part.strip() for part in services["one"]["environment"]["SCOREBOARD_TRUSTED_PROXIES"].split(",")}
    proxy = nginx["networks"]["inside"]["ipv4_address"]
    must(proxy in trusted, f"{where}: the servers do not trust nginx at {proxy}")

    port = constant("deploy/nginx.conf", r"listen (\d+);")
    must(nginx.get("ports") == [f"127.0.0.1:{port}:{port}"], f"{where}, nginx: does not publish {port} to this machine alone")
    for name, service in services.items():
        must(name == "nginx" or "ports" not in service, f"{where}, {name}: publishes a port")
        must("mem_limit" in service and "cpus" in service, f"{where}, {name}: has no limit of memory or processors")
        volumes = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")}
        for kind, names in (
            ("volumes", volumes),
            ("networks", service.get("networks", {}).keys()),
            ("secrets", set(service.get("secrets", []))),
            ("services", service.get("depends_on", {}).keys()),
        ):
            must(names <= file[kind].keys(), f"{where}, {name}: {', '.join(names - file[kind].keys())} is not among the {kind}")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        must(f"{setting}=on" in services["postgres"]["command"], f"{where}, postgres: {setting} is not on")
    return probe


def kubernetes():
    """Returns the paths that its probes ask."""
    where = "kubernetes.yaml"
    text = (ROOT / "deploy/kubernetes.yaml").read_text()
    kinds = {part["kind"]: part for part in yaml.safe_load_all(text)}
    must("Secret" not in kinds, f"{where}: holds a Secret")
    deployment, service = kinds["Deployment"]["spec"], kinds["Service"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]

    environment = {}
    if pod.get("enableServiceLinks", True):
        # What every container is told of the Services beside it.
        name = service["metadata"]["name"].upper()
        environment |= {f"{name}_SERVICE_HOST": "10.0.0.1", f"{name}_PORT": "tcp://10.0.0.1:80"}
    for source in container["envFrom"]:
        named = source["configMapRef"]["name"]
        must(named == kinds["ConfigMap"]["metadata"]["name"], f"{where}: there is no ConfigMap {named}")
        environment |= kinds["ConfigMap"]["data"]
    for variable in container["env"]:
        must("value" not in variable, f"{where}: {variable['name']} belongs into the ConfigMap")
        environment[variable["name"]] = SECRET[variable["name"]]
    # What it takes out of the Secret is what its first lines say to put in.
    taken = {it["valueFrom"]["secretKeyRef"]["key"] for it in container["env"]}
    for volume in pod["volumes"]:
        taken |= {item["key"] for item in volume.get("secret", {}).get("items", [])}
    told = set(re.findall(r"--from-file=(\S+)", text))
    must(taken == told, f"{where}: takes {sorted(taken)} out of the Secret, and says to put in {sorted(told)}")
    replicas = deployment["replicas"]
    memory = mebibytes(container["resources"]["limits"]["memory"])
    port = check_server(where, environment, pod["terminationGracePeriodSeconds"], replicas, memory)

    must(replicas >= 2, f"{where}: one server cannot be restarted unnoticed")
    must(deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, f"{where}: a new release takes servers away first")
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    must(ports == {"http": port}, f"{where}: the server listens on {port}, and the container's ports are {ports}")
    must([it["targetPort"] for it in service["spec"]["ports"]] == ["http"], f"{where}: the Service leads to another port")
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (
        deployment["selector"]["matchLabels"],
        service["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        must(selector.items() <= labels.items(), f"{where}: {selector} selects no server")

    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    must(all(probe["port"] in ports for probe in probes), f"{where}: a probe asks a port that is not there")
    # A database that is away must not get servers restarted.
    must(probes[2]["path"] != probes[1]["path"], f"{where}: who is not ready is restarted")

    mounted = {volume["name"] for volume in pod["volumes"]}
    for each in (container, *pod["initContainers"]):
        name = each["name"]
        check_image(f"{where}, {name}", each["image"])
        must({"requests", "limits"} <= each["resources"].keys(), f"{where}, {name}: has no requests or limits")
        confined = each["securityContext"]
        must(
            confined["readOnlyRootFilesystem"] and confined["allowPrivilegeEscalation"] is False
            and confined["capabilities"] == {"drop": ["ALL"]},
            f"{where}, {name}: may do more than it needs",
        )
        must({it["name"] for it in each["volumeMounts"]} <= mounted, f"{where}, {name}: mounts a volume that is not there")
    user = constant("deploy/Dockerfile", r"(?m)^USER (\d+):")
    must(pod["securityContext"]["runAsUser"] == int(user), f"{where}: does not run as the image's user {user}")
    keys = pathlib.PurePath(environment.get("SCOREBOARD_KEYS", ""))
    copied = pod["initContainers"][0]["command"][-1]
    must(str(keys) == copied, f"{where}: the keys are copied to {copied}, and read from {keys}")
    return {probe["path"] for probe in probes}


def ask(probe, paths):
    """Starts a server, and asks it as the files do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"SCOREBOARD_LISTEN": f"127.0.0.1:{port}", "SCOREBOARD_DATABASE_URL": "memory:"}
    server = subprocess.Popen([SERVER], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        test, listens = probe
        # As compose gives it on: `$$` is a `$`.
        command = [part.replace("$$", "$").replace(f"/{listens} ", f"/{port} ") for part in test[1:]]
        must(f"/{port} " in command[-1], f"compose.yaml: the health check does not ask port {listens}")

        def healthy():
            return subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True).returncode == 0

        until = time.monotonic() + READY_WITHIN
        while not (is_healthy := healthy()) and time.monotonic() < until and server.poll() is None:
            time.sleep(0.1)
        must(is_healthy, f"compose.yaml: the health check fails before a server that runs: {command[-1]}")
        for path in sorted(paths):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n".encode())
                status = connection.makefile().readline().split()[1]
            must(status == "200", f"kubernetes.yaml: a probe asks {path}, and gets {status}")
    finally:
        server.terminate()
        server.wait()
    # A check that says yes to everything would have said so above.
    must(not healthy(), "compose.yaml: the health check finds a server healthy that is gone")


dockerfile()
probe = compose()
paths = kubernetes()
if not problems:
    ask(probe, paths)
for problem in problems:
    print(f"error: {problem}", file=sys.stderr)
if not problems:
    print("compose.yaml and kubernetes.yaml: their settings, probes, times, ports and addresses hold")
sys.exit(1 if problems else 0)
