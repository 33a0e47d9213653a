"""Write the bill of materials of both images: packages, versions, hashes; CycloneDX 1.6 JSON."""

import json
import subprocess
from pathlib import Path

from tests.conftest import ROOT

IMAGES = ("service", "night")


def write(image: str, folder: Path, *, validate: bool = True) -> Path:
    """Write `nightshelf-<image>.cdx.json` from the image's lock; the same lock, the same bytes."""
    path = folder / f"nightshelf-{image}.cdx.json"
    command = [
        str(ROOT / ".venv-release/bin/cyclonedx-py"),
        *("requirements", str(ROOT / f"deploy/locks/{image}.lock")),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"),
        *("--spec-version", "1.6", "--output-format", "JSON", "--output-reproducible"),
        *("--validate" if validate else "--no-validate", "--output-file", str(path)),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return path


def main() -> None:
    """Write both into dist/ and print how many packages each names."""
    folder = ROOT / "dist"
    folder.mkdir(exist_ok=True)
    for image in IMAGES:
        path = write(image, folder)
        bill = json.loads(path.read_text())
        print(f"{path.relative_to(ROOT)}: {len(bill['components'])} packages")


if __name__ == "__main__":
    main()
