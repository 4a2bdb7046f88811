"""Data sets by name, with the facts that are known without loading them."""

from __future__ import annotations

from typing import ClassVar, Literal

from netbuilder.components.component import Component
from netbuilder.components.shapes import Shape

_DIGITS = tuple("0123456789")


class Dataset(Component):
    """A data set of labeled images, ``uint8`` of shape ``shape``.

    Attributes:
        shape: The shape of an image: channels, height, width.
        classes: The names of the classes.
        former_classes: The names that earlier versions recorded, in the same order; empty if they
            are the same.
        mean: The mean of the training set per channel, for pixels in [0, 1]; images are normalized
            with it.
        std: The standard deviation, likewise.
        box: The side of the square that each object fills, bright on black; None for photographs.
        by_mass: Whether objects are centered by their center of mass, not by their box.
        torchvision_class: The class in `torchvision.datasets` that decodes its archives; empty if
            it is part of the package.
        digest: The digest of the decoded tensors, if known; see `netbuilder._files.digest_of`.
        train_size: The number of training images, as published.
        test_size: The number of test images, as published.
    """

    shape: ClassVar[Shape]
    classes: ClassVar[tuple[str, ...]]
    former_classes: ClassVar[tuple[str, ...]] = ()
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]
    box: ClassVar[int | None] = None
    by_mass: ClassVar[bool] = False
    torchvision_class: ClassVar[str] = ""
    digest: ClassVar[str | None] = None
    train_size: ClassVar[int]
    test_size: ClassVar[int]

    @classmethod
    def torch_name(cls) -> str:
        return f"torchvision.datasets.{cls.torchvision_class}" if cls.torchvision_class else ""

    @property
    def fallback_dataset(self) -> Dataset | None:
        """The data set to use if this one is not available; None without a ``fallback``."""
        return None

    def without_fallback(self) -> Dataset:
        """Return the same data set without a ``fallback``."""
        return self


class Mnist5k(Dataset):
    """5,000 MNIST images that are part of the package: 4,000 to train, 1,000 to test."""

    kind = "mnist5k"
    train_size = 4_000
    test_size = 1_000
    digest = "c447def775766b836e5d2e89e9771fd4a91a01e8b0142c10b54c47f47c2cc289"
    shape = (1, 28, 28)
    classes = _DIGITS
    mean = (0.1307,)
    std = (0.3081,)
    box = 20
    by_mass = True


class _LikeMnist(Dataset):
    """Ten classes of 28 x 28 gray images, so that mnist5k can be their fallback."""

    train_size = 60_000
    test_size = 10_000

    fallback: Literal["mnist5k"] | None = None

    @property
    def fallback_dataset(self) -> Dataset | None:
        return Mnist5k() if self.fallback else None

    def without_fallback(self) -> Dataset:
        return type(self)()


class Mnist(_LikeMnist):
    """MNIST handwritten digits: 60,000 to train, 10,000 to test (LeCun, Cortes, Burges)."""

    kind = "mnist"
    torchvision_class = "MNIST"
    digest = "cbf860d23226daf9a08a820109ffa918bd240291e27021b444ee35cd3120d5e7"
    shape = (1, 28, 28)
    classes = _DIGITS
    mean = (0.1307,)
    std = (0.3081,)
    box = 20
    by_mass = True


class FashionMnist(_LikeMnist):
    """Fashion-MNIST: 60,000 to train, 10,000 to test (Xiao, Rasul, Vollgraf, 2017)."""

    kind = "fashion_mnist"
    torchvision_class = "FashionMNIST"
    digest = "f026088cb852a362a9e550916e19515096a826dad87fcfa9abb7497b87e0a69a"
    shape = (1, 28, 28)
    classes = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    mean = (0.2860,)
    std = (0.3530,)
    box = 28


class KMnist(_LikeMnist):
    """Kuzushiji-MNIST: 60,000 to train, 10,000 to test (Clanuwat et al., 2018)."""

    kind = "kmnist"
    torchvision_class = "KMNIST"
    shape = (1, 28, 28)
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    mean = (0.1918,)
    std = (0.3483,)
    box = 28


class Cifar10(Dataset):
    """CIFAR-10: 50,000 to train, 10,000 to test (Krizhevsky, 2009)."""

    kind = "cifar10"
    torchvision_class = "CIFAR10"
    train_size = 50_000
    test_size = 10_000
    shape = (3, 32, 32)
    classes = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2470, 0.2435, 0.2616)


class Cifar100(Dataset):
    """CIFAR-100: 50,000 to train, 10,000 to test, 100 classes (Krizhevsky, 2009)."""

    kind = "cifar100"
    torchvision_class = "CIFAR100"
    train_size = 50_000
    test_size = 10_000
    shape = (3, 32, 32)
    classes = (
        "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
        "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
        "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
        "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
        "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard",
        "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse",
        "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck",
        "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray",
        "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail",
        "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
        "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle",
        "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
    )  # fmt: skip
    former_classes = tuple(map(str, range(100)))
    mean = (0.5071, 0.4865, 0.4409)
    std = (0.2673, 0.2564, 0.2762)
