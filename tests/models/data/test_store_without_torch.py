"""Writing and opening a store costs no more memory than it must: PyTorch alone is 200 MB a process."""

import subprocess
import sys


def test_generator_and_store_do_without_torch() -> None:
    modules = "dpa.models.data.store, dpa.models.data.synthetic.generate"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
