"""Installation of repflow_mm; ``tools/setup_env.sh`` makes a tested environment around it."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = ROOT.joinpath('repflow_mm', 'version.py').read_text().split("'")[1]
# Where MMEngine's tools look for what a package has beside its modules.
COPIED = ('configs', 'tools')


class BuildWithConfigs(build_py):
    """Copies the configs and the tools into ``repflow_mm/.mim`` of what is built."""

    def run(self):
        """Build the package, and copy unless it is installed in place, where the checkout has them."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, 'repflow_mm', '.mim')
            shutil.rmtree(target, ignore_errors=True)
            for folder in COPIED:
                shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns('__pycache__'))
            shutil.copy2(ROOT / 'model-index.yml', target)


setup(
    name='repflow_mm',
    version=VERSION,
    description='Representation flow for MMAction2: learned motion representations for action recognition',
    long_description=ROOT.joinpath('README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=('repflow_mm', 'repflow_mm.*')),
    package_data={'repflow_mm': ['py.typed', 'ops/cpu/csrc/*', 'ops/*.md', 'datasets/data/*', 'visualization/*.html']},
    cmdclass={'build_py': BuildWithConfigs},
    entry_points={'console_scripts': ['repflow-mm = repflow_mm.__main__:main']},
    python_requires='>=3.10',
    # repflow_mm.ops needs torch alone. MMAction2's own requirements pull in two OpenCV builds that overwrite each
    # other, so its stack is an extra here and pinned without dependencies in requirements/openmmlab.txt.
    install_requires=['torch>=2.6'],
    extras_require={
        # The app in the browser, repflow_mm.demo_app.
        'app': ['gradio>=6.31,<7'],
        'mmaction': [
            'mmaction2>=1.2,<1.3',
            'mmengine>=0.10,<0.11',
            'mmcv-lite>=2.0,<2.2',
            # MMEngine asks for the one and MMAction2 for the other; of one version they can lie over each other.
            'opencv-python==4.13.0.92',
            'opencv-contrib-python==4.13.0.92',
            'av>=15,<20',
            'importlib_metadata',
            'matplotlib',
            'tqdm',
        ],
        # Decoders beside PyAV.
        'decord': ['decord>=0.6'],
        'torchcodec': ['torchcodec'],
        # Checkpoints that are files of safetensors.
        'safetensors': ['safetensors>=0.4'],
        # Tests and linters, with the versions of continuous integration.
        'dev': ROOT.joinpath('requirements', 'tests.txt').read_text().split(),
        'docs': ['mkdocs-material>=9.6', 'mkdocstrings[python]>=1.0', 'latex2mathml>=3.77'],
        'export': ['onnx>=1.17', 'onnxscript>=0.5', 'onnxruntime>=1.20'],
    },
    zip_safe=False,
)
