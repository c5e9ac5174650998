//! What the files for hosting promise.

use serde_json::Value;

use super::files::Files;

/// A promise, and what is wrong with it.
pub(super) struct Check {
    promise: &'static str,
    problems: fn(&Files) -> Vec<String>,
}

const COMPOSE: &str = "compose.yaml";
const REPLICAS: &str = "compose.postgres.yaml";
const BALANCER: &str = "proxies/replicas.Caddyfile";
const STATEFUL_SET: &str = "kubernetes/statefulset.yaml";
const DEPLOYMENT: &str = "kubernetes/replicas/deployment.yaml";
const POLICY: &str = "kubernetes/networkpolicy.example.yaml";
const TRUSTED: &str = "ZENML_AUTH_TRUSTED_PROXIES";
/// How long requests may take after the drain time, in seconds.
const LAST_REQUESTS: u64 = 22;
/// The drain time, unless it is set.
const DRAIN_TIME: u64 = 5;

pub(super) const CHECKS: &[Check] = &[
    Check {
        promise: "images have versions",
        problems: images,
    },
    Check {
        promise: "Kustomize takes files that are there, and the server's version",
        problems: kustomizations,
    },
    Check {
        promise: "nobody is believed on where a request came from by default",
        problems: trusted_by_default,
    },
    Check {
        promise: "two servers believe their load balancer, and that one the proxy on the same machine",
        problems: trusted_by_replicas,
    },
    Check {
        promise: "ports are open to the same machine alone",
        problems: ports,
    },
    Check {
        promise: "the pods of a stateful set have a headless service",
        problems: headless,
    },
    Check {
        promise: "health checks follow the port",
        problems: health,
    },
    Check {
        promise: "a server has time to drain",
        problems: draining,
    },
    Check {
        promise: "the network policy is for the server's pods and port, and lets one kind of pods pass",
        problems: policy,
    },
];

/// All that is wrong.
pub(super) fn problems(files: &Files) -> Vec<String> {
    CHECKS
        .iter()
        .flat_map(|check| {
            let problems = (check.problems)(files).into_iter();
            problems.map(|problem| format!("{}: {problem}", check.promise))
        })
        .collect()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let items = value.pointer(pointer).and_then(Value::as_array);
    items.into_iter().flatten()
}

/// The services of a file for Docker Compose, by name.
fn services<'a>(files: &'a Files, path: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let services = files.yaml(path).pointer("/services").and_then(Value::as_object);
    services.into_iter().flatten()
}

/// The variables of the server in a file for Kubernetes.
fn variables<'a>(files: &'a Files, path: &str) -> impl Iterator<Item = &'a Value> {
    list(files.yaml(path), "/spec/template/spec/containers/0/env")
}

/// What is not so.
fn unless(is_so: bool, problem: impl Into<String>) -> Vec<String> {
    if is_so { Vec::new() } else { vec![problem.into()] }
}

fn images(files: &Files) -> Vec<String> {
    let mut problems = Vec::new();
    for path in [COMPOSE, REPLICAS] {
        for (name, service) in services(files, path) {
            let image = at(service, "/image");
            let tag = image.rsplit('/').next().and_then(|last| last.split_once(':'));
            let tag = tag.map_or("", |(_, tag)| tag);
            let is_ours = service.get("build").is_some();
            if tag.is_empty() || tag == "latest" || is_ours && tag != files.version {
                problems.push(format!("{path}: {name} runs {image:?}"));
            }
        }
    }
    problems
}

fn kustomizations(files: &Files) -> Vec<String> {
    let mut problems = Vec::new();
    for folder in ["kubernetes", "kubernetes/replicas"] {
        let path = format!("{folder}/kustomization.yaml");
        let kustomization = files.yaml(&path);
        let resources: Vec<&str> = list(kustomization, "/resources")
            .filter_map(Value::as_str)
            .collect();
        problems.extend(unless(!resources.is_empty(), format!("{path} has no resources")));
        for resource in resources {
            let is_there = files.has(&format!("{folder}/{resource}"));
            problems.extend(unless(is_there, format!("{path}: there is no {resource}")));
        }
        let tag = at(kustomization, "/images/0/newTag");
        problems.extend(unless(
            tag == files.version,
            format!("{path}: the tag is {tag:?}"),
        ));
        let name = at(kustomization, "/images/0/name");
        for (path, document) in files.all(folder) {
            let image = at(document, "/spec/template/spec/containers/0/image");
            let is_replaced = image.is_empty() || image == name;
            problems.extend(unless(is_replaced, format!("{path}: the image is {image:?}")));
        }
    }
    problems
}

fn trusted_by_default(files: &Files) -> Vec<String> {
    let mut problems = Vec::new();
    for path in [STATEFUL_SET, DEPLOYMENT] {
        let trusts = variables(files, path).any(|variable| at(variable, "/name") == TRUSTED);
        problems.extend(unless(!trusts, format!("{path} sets {TRUSTED}")));
    }
    for (name, service) in services(files, COMPOSE) {
        let trusts = service.pointer(&format!("/environment/{TRUSTED}")).is_some();
        problems.extend(unless(!trusts, format!("{COMPOSE}: {name} sets {TRUSTED}")));
    }
    let gateway = at(files.yaml(COMPOSE), "/networks/default/ipam/config/0/gateway");
    let line = format!("# {TRUSTED}: {gateway}\n");
    let is_named = !gateway.is_empty() && files.text(COMPOSE).contains(&line);
    problems.extend(unless(
        is_named,
        format!("{COMPOSE} does not propose {gateway:?}"),
    ));
    problems
}

fn trusted_by_replicas(files: &Files) -> Vec<String> {
    let front = "/networks/front/ipam/config/0";
    let subnet = at(files.yaml(REPLICAS), &format!("{front}/subnet"));
    let gateway = at(files.yaml(REPLICAS), &format!("{front}/gateway"));
    let mut problems = unless(!gateway.is_empty(), format!("{REPLICAS}: `front` has no gateway"));
    // At most 14 machines.
    let is_small = matches!(subnet.rsplit_once('/'), Some((_, "28" | "29" | "30")));
    problems.extend(unless(
        is_small,
        format!("{REPLICAS}: `front` is {subnet:?}, which is not small"),
    ));
    for (name, service) in services(files, REPLICAS).filter(|(_, service)| service.get("build").is_some()) {
        let trusted = at(service, &format!("/environment/{TRUSTED}"));
        problems.extend(unless(
            trusted == subnet,
            format!("{REPLICAS}: {name} trusts {trusted:?}"),
        ));
    }
    let trusted: Vec<&str> = files
        .text(BALANCER)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("trusted_proxies "))
        .collect();
    problems.extend(unless(
        trusted == [gateway],
        format!("{BALANCER} trusts {trusted:?}"),
    ));
    problems
}

fn ports(files: &Files) -> Vec<String> {
    let mut problems = Vec::new();
    for path in [COMPOSE, REPLICAS] {
        for (name, service) in services(files, path) {
            for port in list(service, "/ports") {
                let is_local = port.as_str().is_some_and(|port| port.starts_with("127.0.0.1:"));
                problems.extend(unless(is_local, format!("{path}: {name} opens {port}")));
            }
        }
    }
    problems
}

fn headless(files: &Files) -> Vec<String> {
    let set = files.yaml(STATEFUL_SET);
    let name = at(set, "/spec/serviceName");
    let service = files
        .all("kubernetes/service.yaml")
        .map(|(_, document)| document)
        .find(|service| at(service, "/metadata/name") == name);
    let Some(service) = service else {
        return vec![format!("there is no service {name:?}")];
    };
    let mut problems = unless(
        at(service, "/spec/clusterIP") == "None",
        format!("the service {name:?} has an address"),
    );
    let labels = set.pointer("/spec/template/metadata/labels");
    problems.extend(unless(
        service.pointer("/spec/selector") == labels,
        format!("the service {name:?} is of other pods"),
    ));
    problems
}

fn health(files: &Files) -> Vec<String> {
    let mut problems = Vec::new();
    let image = files.text("Dockerfile");
    let after = |word: &str| {
        let text = image.split_once(word).map_or("", |(_, rest)| rest);
        text.split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
    };
    let port = after("ZENML_AUTH_BIND=0.0.0.0:");
    problems.extend(unless(
        !port.is_empty() && after("EXPOSE ") == port,
        "Dockerfile exposes another port than the server's",
    ));
    problems.extend(unless(
        image.contains("http://127.0.0.1:${ZENML_AUTH_BIND##*:}/health"),
        "Dockerfile checks a port of its own",
    ));
    for path in [STATEFUL_SET, DEPLOYMENT] {
        let container = files.yaml(path).pointer("/spec/template/spec/containers/0");
        let container = container.unwrap_or(&Value::Null);
        problems.extend(unless(
            at(container, "/ports/0/containerPort") == port,
            format!("{path} has another port than the image"),
        ));
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let asked = at(container, &format!("/{probe}/httpGet/port"));
            let is_it = !asked.is_empty() && asked == at(container, "/ports/0/name");
            problems.extend(unless(is_it, format!("{path}: {probe} asks port {asked:?}")));
        }
    }
    problems
}

fn draining(files: &Files) -> Vec<String> {
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap_or_default();
    let mut given: Vec<(String, u64, u64)> = Vec::new();
    for path in [STATEFUL_SET, DEPLOYMENT] {
        let drain = variables(files, path).find(|variable| at(variable, "/name") == "ZENML_AUTH_DRAIN_TIME");
        let drain = drain.map_or(DRAIN_TIME, |variable| seconds(at(variable, "/value")));
        let time = at(
            files.yaml(path),
            "/spec/template/spec/terminationGracePeriodSeconds",
        );
        given.push((path.to_owned(), seconds(time), drain));
    }
    for path in [COMPOSE, REPLICAS] {
        for (name, service) in services(files, path).filter(|(_, service)| service.get("build").is_some()) {
            let time = seconds(at(service, "/stop_grace_period"));
            given.push((format!("{path}: {name}"), time, DRAIN_TIME));
        }
    }
    let unit = files.text("systemd/zenml-auth-server.service");
    let time = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    given.push((
        "systemd".to_owned(),
        seconds(time.unwrap_or_default()),
        DRAIN_TIME,
    ));
    given
        .into_iter()
        .filter(|(_, time, drain)| *time < drain + LAST_REQUESTS)
        .map(|(what, time, _)| format!("{what} gives it {time} seconds"))
        .collect()
}

fn policy(files: &Files) -> Vec<String> {
    let policy = files.yaml(POLICY);
    let mut problems = Vec::new();
    for path in [STATEFUL_SET, DEPLOYMENT] {
        let labels = files.yaml(path).pointer("/spec/template/metadata/labels");
        problems.extend(unless(
            labels.is_some() && policy.pointer("/spec/podSelector/matchLabels") == labels,
            format!("it is for other pods than those of {path}"),
        ));
        let port = at(files.yaml(path), "/spec/template/spec/containers/0/ports/0/name");
        problems.extend(unless(
            at(policy, "/spec/ingress/0/ports/0/port") == port,
            format!("it is for another port than that of {path}"),
        ));
    }
    let from: Vec<&Value> = list(policy, "/spec/ingress")
        .flat_map(|rule| list(rule, "/from"))
        .collect();
    let is_narrow = match from.as_slice() {
        [one] => one.get("namespaceSelector").is_some() && one.get("podSelector").is_some(),
        _ => false,
    };
    problems.extend(unless(is_narrow, "more than some pods of some namespaces pass"));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_for_hosting_are_what_they_are_said_to_be() {
        assert_eq!(problems(&Files::read().unwrap()), [""; 0]);
    }

    #[test]
    fn a_slip_in_a_file_for_hosting_is_told() {
        let files = Files::read().unwrap();
        for (promise, path, from, to) in [
            ("images", REPLICAS, "caddy:2", "caddy"),
            ("images", REPLICAS, "postgres:17", "postgres:latest"),
            ("images", COMPOSE, "image: zenml-auth:", "image: zenml-auth:9."),
            (
                "Kustomize",
                "kubernetes/kustomization.yaml",
                "newTag: ",
                "newTag: latest # ",
            ),
            (
                "Kustomize",
                "kubernetes/kustomization.yaml",
                "- service.yaml",
                "- nothing.yaml",
            ),
            (
                "nobody",
                STATEFUL_SET,
                "# - name: ZENML_AUTH_TRUSTED_PROXIES",
                "- name: ZENML_AUTH_TRUSTED_PROXIES",
            ),
            (
                "nobody",
                DEPLOYMENT,
                "# - name: ZENML_AUTH_TRUSTED_PROXIES",
                "- name: ZENML_AUTH_TRUSTED_PROXIES",
            ),
            (
                "nobody",
                COMPOSE,
                "# ZENML_AUTH_TRUSTED_PROXIES",
                "ZENML_AUTH_TRUSTED_PROXIES",
            ),
            (
                "two servers",
                REPLICAS,
                "_PROXIES: 10.",
                "_PROXIES: 172.16.0.0/12,10.",
            ),
            (
                "two servers",
                REPLICAS,
                "subnet: 10.237.82.0/28",
                "subnet: 10.0.0.0/8",
            ),
            (
                "two servers",
                BALANCER,
                "trusted_proxies ",
                "trusted_proxies private_ranges ",
            ),
            ("ports", REPLICAS, "127.0.0.1:8237:", "8237:"),
            (
                "the pods",
                "kubernetes/service.yaml",
                "clusterIP: None",
                "clusterIP: 10.0.0.1",
            ),
            (
                "the pods",
                STATEFUL_SET,
                "serviceName: zenml-auth-pods",
                "serviceName: zenml-auth",
            ),
            ("health", "Dockerfile", "${ZENML_AUTH_BIND##*:}", "8237"),
            ("health", STATEFUL_SET, "port: http", "port: 8237"),
            ("health", DEPLOYMENT, "containerPort: 8237", "containerPort: 8080"),
            ("a server", STATEFUL_SET, "value: 15s", "value: 60s"),
            (
                "a server",
                COMPOSE,
                "stop_grace_period: 30s",
                "stop_grace_period: 10s",
            ),
            (
                "a server",
                "systemd/zenml-auth-server.service",
                "TimeoutStopSec=30",
                "TimeoutStopSec=5",
            ),
            (
                "the network",
                POLICY,
                "          podSelector:",
                "        - podSelector:",
            ),
            ("the network", POLICY, "port: http", "port: 8080"),
        ] {
            let found = problems(&files.with(path, from, to));
            assert!(
                found.iter().any(|problem| problem.starts_with(promise)),
                "{path}, {to}: {found:?}"
            );
        }
    }
}
