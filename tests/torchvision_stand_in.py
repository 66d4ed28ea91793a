"""A stand-in for torchvision, of which peers import names that no test here uses.

zennit and pytorch-grad-cam import it whatever they are asked for, and it is large, or has no build
for a processor alone.
"""

import sys
from types import ModuleType

NAMES = {
    "torchvision": (),
    "torchvision.models": (),
    "torchvision.models.resnet": ("Bottleneck", "BasicBlock"),
    "torchvision.models.vgg": ("VGG",),
    "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
    "torchvision.transforms.functional": ("resize",),
}


def stand_in_for_torchvision() -> None:
    """Let ``import torchvision`` find empty classes, unless the real one is there."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError: built for another PyTorch
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name, members in NAMES.items():
            module = sys.modules[name] = ModuleType(name)
            for member in members:
                setattr(module, member, type(member, (), {}))
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)
