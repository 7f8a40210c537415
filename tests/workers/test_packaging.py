"""The examples for several processes say what they mean to, and the gateway takes the configurations in them."""

from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.load import parse

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
ENVIRON = {
    "REDIS_URL": "redis://:secret@redis:6379",
    "DATABASE_URL": "postgresql://agentgateway:secret@postgres/agentgateway",
    "AGENTGATEWAY_ADMIN_TOKEN": "token",
    "STATE_DIRECTORY": "/var/lib/agentgateway",
}


def kubernetes() -> dict[tuple[str, str], Any]:
    """The manifest's objects by kind and name."""
    found = list(yaml.safe_load_all((PACKAGING / "kubernetes.yaml").read_text()))
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


class ComposeTests(SynchronousTestCase):
    """`docker-compose.yaml`."""

    def test_configuration(self) -> None:
        """Its gateway runs workers on the Redis and the PostgreSQL beside it, each with a password."""
        compose = yaml.safe_load((PACKAGING / "docker-compose.yaml").read_text())
        config = parse(compose["configs"]["gateway"]["content"], "gateway.yaml", ENVIRON)
        self.assertIsNotNone(config.shared)
        self.assertEqual(config.gateway.state_dir, "/var/lib/agentgateway")
        services = compose["services"]
        self.assertEqual(set(services["gateway"]["depends_on"]), {"redis", "postgres"})
        self.assertIn("noeviction", services["redis"]["command"])
        for name in ("REDIS_URL", "DATABASE_URL", "AGENTGATEWAY_ADMIN_TOKEN"):
            self.assertIn("${", services["gateway"]["environment"][name])


class KubernetesTests(SynchronousTestCase):
    """`kubernetes.yaml`."""

    def test_configuration(self) -> None:
        """Two replicas, each with a state folder of its own, share what the configuration names."""
        objects = kubernetes()
        config = parse(objects["ConfigMap", "agentgateway"]["data"]["gateway.yaml"], "gateway.yaml", ENVIRON)
        self.assertIsNotNone(config.shared)
        replicas = objects["StatefulSet", "agentgateway"]["spec"]
        [container] = replicas["template"]["spec"]["containers"]
        self.assertEqual(replicas["replicas"], 2)
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        self.assertEqual(mounts["state"], config.gateway.state_dir)
        self.assertEqual([claim["metadata"]["name"] for claim in replicas["volumeClaimTemplates"]], ["state"])
        self.assertEqual(mounts["configuration"] + "/gateway.yaml", "/etc/agentgateway/gateway.yaml")
        given = {one["name"] for one in container["env"]}
        self.assertLessEqual({"REDIS_URL", "DATABASE_URL", "AGENTGATEWAY_ADMIN_TOKEN"}, given)

    def test_stopping(self) -> None:
        """It is given more time to stop than it takes, is probed, and only one replica goes at a time."""
        objects = kubernetes()
        pod = objects["StatefulSet", "agentgateway"]["spec"]["template"]["spec"]
        config = parse(objects["ConfigMap", "agentgateway"]["data"]["gateway.yaml"], "gateway.yaml", ENVIRON)
        wait = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
        self.assertGreater(pod["terminationGracePeriodSeconds"], config.gateway.drain_timeout + wait + 10)
        for probe in ("startupProbe", "readinessProbe"):
            self.assertEqual(pod["containers"][0][probe]["httpGet"]["path"], "/health")
        budget = objects["PodDisruptionBudget", "agentgateway"]["spec"]
        self.assertEqual((budget["maxUnavailable"], budget["selector"]["matchLabels"]), (1, {"app": "agentgateway"}))

    def test_services(self) -> None:
        """Every service finds its pods, and no secret stands in the file."""
        objects = kubernetes()
        specs = [one.get("spec", {}) for one in objects.values()]
        labels = [spec["template"]["metadata"]["labels"] for spec in specs if "template" in spec]
        for (kind, name), one in objects.items():
            if kind == "Service":
                self.assertIn(one["spec"]["selector"], labels, name)
        self.assertNotIn("Secret", {kind for kind, _ in objects})
