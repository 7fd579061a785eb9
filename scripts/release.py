#!/usr/bin/env python3
"""Makes the files of a release: what the Terraform registry takes, and what a mirror serves.

build    one platform: compiles the provider and packs it
pack     the same of a binary that is there
seal     checksums, manifest and bill of materials for the platforms that are packed; a signature with --key
mirror   a filesystem mirror, or with --network the files of a network mirror, from what is packed
all      build for this machine, and seal

Nothing of the folder and of the moment goes into the binary or its archive. It needs Python 3, Cargo and,
for a signature, gpg; and no network but the registry of crates.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAME = "terraform-provider-pgtenant"
SOURCE = "pgtenant/pgtenant"
HOSTS = ["registry.terraform.io", "registry.opentofu.org"]
PROTOCOL = "5.0"
# What the registry calls the platforms, and what Rust calls them.
TARGETS = {
    "linux_amd64": "x86_64-unknown-linux-gnu",
    "linux_arm64": "aarch64-unknown-linux-gnu",
    "darwin_amd64": "x86_64-apple-darwin",
    "darwin_arm64": "aarch64-apple-darwin",
}


def version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]


def commit_time():
    """When the commit was made; outside of a clone, nothing but SOURCE_DATE_EPOCH says it."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is None:
        told = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
    return int(told)


def rustflags(platform, target_dir):
    """Flags that make the binary portable, small, and the same in every folder."""
    cargo_home = os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo"))
    paths = {str(ROOT): "/source", cargo_home: "/cargo", str(target_dir): "/target"}
    codegen = []
    if platform.startswith("linux"):
        # One archive has to do for every Linux, Alpine included: there is no libc to count on. A static-pie relocates itself, so
        # packed relocations do not depend on the host's loader.
        codegen += ["target-feature=+crt-static", "link-arg=-Wl,-z,pack-relative-relocs"]
    flags = [part for flag in codegen for part in ["-C", flag]]
    flags += [f"--remap-path-prefix={path}={name}" for path, name in paths.items()]
    c_flags = [f"-ffile-prefix-map={path}={name}" for path, name in paths.items()]
    return flags, c_flags


def build(platform, out):
    target = TARGETS[platform]
    target_dir = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release-build"
    flags, c_flags = rustflags(platform, target_dir)
    environment = os.environ | {
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CARGO_TARGET_DIR": str(target_dir),
        "CFLAGS": " ".join(c_flags),
        "SOURCE_DATE_EPOCH": str(commit_time()),
        "CARGO_INCREMENTAL": "0",
    }
    # With --target, the flags are for the binary alone: procedural macros cannot be static.
    command = ["cargo", "build", "--release", "--locked", "--target", target, "--bin", NAME]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return pack(target_dir / target / "release" / NAME, platform, out)


def pack(binary, platform, out):
    """The zip of one platform, with nothing in it that a machine or a moment could change."""
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{NAME}_{version()}_{platform}.zip"
    with zipfile.ZipFile(archive, "w") as file:
        # The earliest time that a zip can hold.
        for name, path, mode in [
            (f"{NAME}_v{version()}", binary, 0o755),
            ("LICENSE", ROOT / "LICENSE", 0o644),
        ]:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (0o100000 | mode) << 16
            file.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    print(archive)
    return archive


def archives(out):
    found = {path.stem.split("_", 2)[2]: path for path in sorted(out.glob(f"{NAME}_{version()}_*_*.zip"))}
    return found or sys.exit(f"{out} has no archive of {version()}: build or pack one first")


def seal(out, key):
    archives(out)
    prefix = f"{NAME}_{version()}"
    manifest = {"version": 1, "metadata": {"protocol_versions": [PROTOCOL]}}
    write_json(out / "terraform-registry-manifest.json", manifest)
    write_json(out / f"{prefix}_manifest.json", manifest)
    write_json(out / f"{prefix}_sbom.cdx.json", bill_of_materials())
    sums = out / f"{prefix}_SHA256SUMS"
    # The registry reads sums of what carries the version in its name.
    files = [path for path in sorted(out.glob(f"{prefix}_*")) if path.suffix in [".zip", ".json"]]
    sums.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files))
    signature = sums.with_name(sums.name + ".sig")
    # One of other sums would be worse than none.
    signature.unlink(missing_ok=True)
    if key:
        sign = ["gpg", "--batch", "--local-user", key, "--output", signature, "--detach-sign", sums]
        subprocess.run(sign, check=True)
    print(sums.read_text(), end="")
    print(f"signed by {key}" if key else "not signed: the registry takes a release only with a signature, see --key")


def bill_of_materials():
    """Which crates the binary is made of, as CycloneDX 1.5. Cargo knows them; no other tool has to be trusted."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    for target in TARGETS.values():
        command += ["--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(one["name"], one["version"]): one["checksum"] for one in lock if "checksum" in one}

    def linked(node):
        """Without what only tests and build scripts use."""
        return [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]

    root = metadata["resolve"]["root"]
    seen, todo = set(), [root]
    while todo:
        package = todo.pop()
        if package not in seen:
            seen.add(package)
            todo += linked(nodes[package])

    def reference(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package):
        made = {
            "type": "library",
            "bom-ref": reference(package),
            "name": package["name"],
            "version": package["version"],
            "purl": reference(package),
        }
        if package["license"]:
            # Old manifests say "or" with a slash.
            made["licenses"] = [{"expression": " OR ".join(part.strip() for part in package["license"].split("/"))}]
        if checksum := checksums.get((package["name"], package["version"])):
            made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return made

    ordered = sorted((packages[package] for package in seen), key=reference)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(packages[root]) | {"type": "application"}},
        "components": [component(package) for package in ordered if package["id"] != root],
        "dependencies": [
            {
                "ref": reference(package),
                "dependsOn": sorted({reference(packages[dep]) for dep in linked(nodes[package["id"]])}),
            }
            for package in ordered
        ],
    }


def mirror(out, to, network):
    """For both registries' host names: a source without a host means Terraform's there, and OpenTofu's with OpenTofu."""
    for host in HOSTS:
        folder = to / host / SOURCE
        folder.mkdir(parents=True, exist_ok=True)
        for archive in archives(out).values():
            shutil.copyfile(archive, folder / archive.name)
        if network:
            write_json(folder / "index.json", {"versions": {version(): {}}})
            described = {
                platform: {"url": archive.name, "hashes": [directory_hash(archive), "zh:" + sha256(archive)]}
                for platform, archive in archives(out).items()
            }
            write_json(folder / f"{version()}.json", {"archives": described})


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def directory_hash(archive):
    """`h1:`, as lock files have it: the sum of the list of the files' sums."""
    with zipfile.ZipFile(archive) as file:
        lines = [f"{hashlib.sha256(file.read(name)).hexdigest()}  {name}\n" for name in sorted(file.namelist())]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def here():
    system, machine = os.uname().sysname.lower(), os.uname().machine
    return f"{system}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["build", "pack", "seal", "mirror", "all"])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/dist", help="where the release is")
    parser.add_argument("--platform", choices=TARGETS, default=here(), help="as the registry calls it")
    parser.add_argument("--binary", type=pathlib.Path, help="what to pack")
    parser.add_argument("--key", help="gpg's name of the key that signs")
    parser.add_argument("--to", type=pathlib.Path, help="where the mirror goes")
    parser.add_argument("--network", action="store_true", help="files that an HTTPS server can serve as they are")
    args = parser.parse_args()
    if args.what == "pack":
        pack(args.binary or parser.error("pack needs --binary"), args.platform, args.out)
    if args.what in ["build", "all"]:
        build(args.platform, args.out)
    if args.what in ["seal", "all"]:
        seal(args.out, args.key)
    if args.what == "mirror":
        mirror(args.out, args.to or parser.error("mirror needs --to"), args.network)


main()
