"""Pictures of motion: frames, contact sheets, GIF and MP4, drawn with numpy and Pillow on the CPU.

Draws what it is given: a Motion and a Body. Knows no session, no network and no display.
The meshes go through a z-buffer at twice the size. The camera stands still and sees all of it;
it walks along only with people who walk so far that they would look small.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from engine.arrays import Array, IntArray
from engine.body.pose import Pose
from engine.body.shape import Body
from engine.body.skeleton import JOINT
from engine.errors import InputError
from engine.formats.skinned import COLOURS, vertex_normals
from engine.motion.motion import Motion
from engine.progress import counted

SKY = np.array([247, 246, 243], np.float32)
FLOOR = np.array([228, 229, 232], np.float32)
GRID_LINE = np.array([205, 207, 213], np.float32)
TEXT = (70, 74, 84)
LIGHT = np.array([-0.45, 0.8, 0.55], np.float32)
"""Direction to the light in the camera's frame: right, up, towards the viewer."""
SUPERSAMPLING = 2
GRID = 0.5
"""Metres between the lines on the floor."""
FIELD_OF_VIEW = 0.5
"""Vertical, radians: long enough a lens that people keep their proportions."""
RISE = 0.22
"""Radians by which the camera looks down."""
LEAST_HEIGHT = 0.4
"""Part of the picture's height. A camera that would show walking people smaller than this follows
them instead, and shows them at least this large."""
WALK = 2.0
"""Metres; people who get no farther than this are not followed."""
REACH = 1.5
"""Metres a following camera looks past the player to keep the others in view."""
FOLLOW_SECONDS = 0.6
"""Standard deviation of the time over which the path of a following camera is smoothed."""
SHADOW_CELL = 0.02
"""Metres of floor per texel of the shadow."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera; `view_from_world` rows are right, up and towards the viewer."""

    position: Array
    view_from_world: Array
    focal: float
    """In units of the picture's height."""
    size: tuple[int, int]

    def project(self, points: Array) -> tuple[Array, Array]:
        """(..., 3) metres -> pixels (..., 2) with y down, and 1 / distance (...)."""
        width, height = self.size
        view = (points - self.position) @ self.view_from_world.T
        inverse = -1 / np.minimum(view[..., 2], -1e-3)
        scale = self.focal * height * inverse
        return np.stack(
            [width / 2 + view[..., 0] * scale, height / 2 - view[..., 1] * scale], axis=-1
        ), inverse

    def scaled(self, factor: int) -> Camera:
        width, height = self.size
        return Camera(
            self.position, self.view_from_world, self.focal, (width * factor, height * factor)
        )


def render_frames(
    motion: Motion,
    body: Body,
    size: tuple[int, int] = (640, 480),
    *,
    stride: int = 1,
    caption: str = "",
    time_code: bool = True,
    floor: float | None = None,
) -> Iterator[Image.Image]:
    """Every `stride`th frame as an RGB picture of `size` (width, height).

    floor  height of the ground, metres; None puts it where the lowest vertex usually is
    """
    studio = _Studio(motion, body, size, floor)
    frames = range(0, motion.frames, stride)
    for frame, image in zip(frames, _drawn(studio, frames), strict=True):
        _write_text(image, caption, f"{frame / motion.frame_rate:.1f} s" if time_code else "")
        yield image


def contact_sheet(
    motion: Motion,
    body: Body,
    *,
    columns: int = 5,
    rows: int = 2,
    tile: tuple[int, int] = (320, 300),
    caption: str = "",
    floor: float | None = None,
) -> Image.Image:
    """One picture with frames from the first to the last, evenly spaced, each with its time."""
    count = min(columns * rows, motion.frames)
    frames = np.unique(np.linspace(0, motion.frames - 1, count).round().astype(int))
    studio = _Studio(motion, body, tile, floor)
    sheet = Image.new("RGB", (columns * tile[0], -(-len(frames) // columns) * tile[1]), _rgb(SKY))
    for number, (frame, image) in enumerate(zip(frames, _drawn(studio, frames), strict=True)):
        _write_text(image, caption if number == 0 else "", f"{frame / motion.frame_rate:.1f} s")
        sheet.paste(image, (number % columns * tile[0], number // columns * tile[1]))
    return sheet


def _drawn(studio: _Studio, frames: Sequence[int] | IntArray) -> Iterator[Image.Image]:
    """Pictures of some frames, in their order, drawn by as many threads as there are cores; not
    more of them at once than twice that."""
    cores = os.cpu_count() or 1
    ahead = 2 * cores

    def drawn() -> Iterator[Image.Image]:
        with ThreadPoolExecutor(cores, thread_name_prefix="contrapose-draw") as pool:
            waiting: deque[Future[Image.Image]] = deque()
            for frame in frames:
                waiting.append(pool.submit(studio.draw, int(frame)))
                if len(waiting) == ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    return counted(drawn(), "drawing", len(frames), "frames")


def write_gif(path: Path, frames: Iterable[Image.Image], frame_rate: float) -> None:
    """An endless GIF with one palette for all frames, so that nothing flickers."""
    images = list(frames)
    if not images:
        raise InputError(f"{path}: no frames to write", field="frames")
    samples = images[:: max(1, len(images) // 6)]
    width, height = samples[0].size
    montage = Image.new("RGB", (width, height * (len(samples) + 1)))
    for number, image in enumerate(samples):
        montage.paste(image, (0, number * height))
    # Shadows are few pixels: without greys of their own they take the blue of the partner.
    shades = np.linspace(0.45, 1, width)[:, None] * FLOOR
    greys = Image.fromarray(np.tile(shades.astype(np.uint8), (height // 2, 1, 1)), "RGB")
    montage.paste(greys, (0, len(samples) * height))
    palette = montage.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    indexed = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    duration = round(100 / frame_rate) * 10
    indexed[0].save(
        path, format="GIF", save_all=True, append_images=indexed[1:], duration=duration, loop=0
    )


def write_mp4(path: Path, frames: Iterable[Image.Image], frame_rate: float) -> None:
    """H.264 where PyAV has it, else MPEG-4 part 2; sides must be even."""
    import av
    from av.video.stream import VideoStream

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), mode="w", format="mp4") as container:
        stream = container.add_stream(codec, rate=Fraction(frame_rate).limit_denominator(1001))
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_500_000
        for number, image in enumerate(frames):
            if number == 0:
                stream.width, stream.height = image.size
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(image))))
        container.mux(stream.encode(None))


def write_animation(path: Path, motion: Motion, body: Body, caption: str = "") -> None:
    """.gif and .mp4 are animations, .png is a contact sheet; InputError for other suffixes."""
    suffix = Path(path).suffix.lower()
    if suffix == ".png":
        contact_sheet(motion, body, caption=caption).save(path)
        return
    writers = {".gif": write_gif, ".mp4": write_mp4}
    if suffix not in writers:
        raise InputError(
            f"{path}: no picture format has the suffix {suffix!r}; expected .gif, .mp4 or .png",
            field="output",
        )
    writers[suffix](path, render_frames(motion, body, caption=caption), motion.frame_rate)


class _Studio:
    """What stays the same over the frames: camera, floor, faces; draws one frame at a time.

    The camera never moves. To follow, the studio moves the people back by the camera's path and
    lets the lines on the floor pass by.
    """

    def __init__(
        self, motion: Motion, body: Body, size: tuple[int, int], floor: float | None
    ) -> None:
        self._motion, self._body = motion, body
        self._poses = Pose(motion.rotmats.astype(np.float32), motion.transl)
        self._path: Array = np.zeros((motion.frames, 3))
        self._near = 0.0
        frames = np.unique(np.linspace(0, motion.frames - 1, min(motion.frames, 24)).astype(int))
        seen = self._vertices(frames)
        self._floor = float(np.median(seen[..., 1].min(axis=(0, 2)))) if floor is None else floor
        self._camera = self._framing(seen, size)
        stature = float(np.ptp(body.template[:, 1]))
        farthest = self._camera.focal * stature / LEAST_HEIGHT
        depth = (self._camera.position - seen) @ self._camera.view_from_world[2]
        path = _camera_path(motion)
        if depth.max() > farthest and np.ptp(path, axis=0).max() > WALK:
            self._path, self._poses = path, Pose(self._poses.rotmats, motion.transl - path)
            self._near = farthest / 3
            is_close = np.linalg.norm(self._poses.transl[..., [0, 2]], axis=-1) < REACH + 0.5
            is_close[0] = True
            seen = self._vertices(frames)[is_close[:, frames]][None]
            self._camera = self._framing(seen, size, farthest)
        count = body.template.shape[0]
        self._faces = np.concatenate(
            [body.faces + person * count for person in range(motion.people)]
        )
        self._colours = np.repeat(COLOURS[np.arange(motion.people) % len(COLOURS)], count, axis=0)
        self._ground = _Ground(self._camera, self._floor, seen)

    def draw(self, frame: int) -> Image.Image:
        vertices = self._vertices(np.array([frame]))[:, 0].reshape(-1, 3).astype(np.float32)
        normals, areas = vertex_normals(vertices, self._faces)
        camera = self._camera.scaled(SUPERSAMPLING)
        pixels, inverse_distance = camera.project(vertices)
        # Somebody out of reach may pass right before the camera, and would hide the player.
        nearest = inverse_distance.reshape(self._motion.people, -1).max(axis=1)
        is_drawn = np.repeat(nearest * self._near < 1, self._body.template.shape[0])
        backdrop = self._ground.shaded(vertices, areas * is_drawn, self._path[frame])
        colours = self._shaded(vertices, normals)
        faces = self._faces[is_drawn[self._faces[:, 0]]]
        picture = _rasterised(pixels, inverse_distance, colours, faces, camera.size)
        picture = _downsampled(picture)
        blended = picture[..., :3] + (1 - picture[..., 3:]) * backdrop
        return Image.fromarray(np.clip(blended + 0.5, 0, 255).astype(np.uint8), "RGB")

    def _vertices(self, frames: IntArray) -> Array:
        """(person, frame, V, 3)"""
        return np.stack(
            [
                self._body.vertices(
                    self._poses[person, frames],
                    betas,
                    None if self._motion.curls is None else self._motion.curls[person, frames],
                )
                for person, betas in enumerate(self._motion.betas)
            ]
        )

    def _framing(
        self, seen: Array, size: tuple[int, int], farthest: float = float("inf")
    ) -> Camera:
        """From the side of the pair, player to the left, a little turned and from above.

        seen  (..., V, 3) all of it fits into the picture, unless some is then beyond `farthest`
        """
        heading = self._camera_heading()
        towards = np.array(
            [np.sin(heading) * np.cos(RISE), np.sin(RISE), np.cos(heading) * np.cos(RISE)]
        )
        right = np.array([np.cos(heading), 0, -np.sin(heading)])
        view = np.stack([right, np.cross(towards, right), towards])
        points = seen[..., ::7, :].reshape(-1, 3) @ view.T
        focal = 0.5 / np.tan(FIELD_OF_VIEW / 2)
        half_height = np.tan(FIELD_OF_VIEW / 2) * 0.86
        half_width = np.tan(FIELD_OF_VIEW / 2) * size[0] / size[1] * 0.88
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        for _ in range(6):
            across, up, near = (points - centre).T
            distance = max(
                float(np.max(np.abs(across) / half_width + near)),
                float(np.max(np.abs(up) / half_height + near)),
            )
            slopes = np.stack([across, up], axis=-1) / (distance - near)[:, None]
            centre[:2] += (slopes.min(axis=0) + slopes.max(axis=0)) / 2 * distance
        distance = min(distance, farthest + float(near.min()))
        position = (centre + np.array([0, 0, distance])) @ view
        return Camera(position, view, float(focal), size)

    def _camera_heading(self) -> float:
        """Angle about +Y of the direction from the people to the camera."""
        motion = self._motion
        poses = Pose(self._poses.rotmats, motion.transl)
        joints, world = poses.in_world(self._body.rest_joints(motion.betas)[:, None])
        pelvis = joints[:, :, JOINT["pelvis"]].mean(axis=1)
        facing = world[:, :, JOINT["pelvis"], :, 2].mean(axis=1)
        if motion.people == 1:
            return float(np.arctan2(facing[0, 0], facing[0, 2])) + 0.6
        between = pelvis[1] - pelvis[0]
        if np.hypot(between[0], between[2]) < 0.05:
            between = facing[0]
        return float(np.arctan2(-between[2], between[0])) + 0.35

    def _shaded(self, vertices: Array, normals: Array) -> Array:
        """Colours (V, 3) of lit vertices: key light, sky and floor, a rim at the outline."""
        view = self._camera.view_from_world.astype(np.float32)
        light = LIGHT / np.linalg.norm(LIGHT) @ view
        key = np.maximum(normals @ light, 0)
        sky = 0.5 + 0.5 * normals[:, 1]
        rays = self._camera.position.astype(np.float32) - vertices
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        rim = (1 - np.clip(np.sum(normals * rays, axis=-1), 0, 1)) ** 3
        lit = self._colours * (0.40 + 0.30 * sky + 0.48 * key)[:, None]
        colours: Array = np.clip(lit + 34 * (rim * sky)[:, None] + 10 * key[:, None] ** 8, 0, 255)
        return colours


def _camera_path(motion: Motion) -> Array:
    """Where a following camera looks on the ground, (frames, 3) metres.

    It is the midpoint of the people, drawn back to the player when the others are out of reach,
    smoothed with a Gaussian; the path goes on straight past both ends, so that nothing lags.
    """
    ground = motion.transl * np.array([1, 0, 1])
    aside = ground.mean(axis=0) - ground[0]
    excess = np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True) / REACH, 1)
    target = ground[0] + aside / excess**2
    deviation = FOLLOW_SECONDS * motion.frame_rate
    radius = int(np.ceil(3 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    padded = np.pad(target, ((radius, radius), (0, 0)), mode="reflect", reflect_type="odd")
    return np.stack(
        [np.convolve(axis, kernel / kernel.sum(), mode="valid") for axis in padded.T], axis=-1
    )


class _Ground:
    """The floor with its grid, fading into the sky; takes soft shadows of what stands on it."""

    def __init__(self, camera: Camera, floor: float, seen: Array) -> None:
        width, height = camera.size
        self._floor = floor
        low, high = seen.min(axis=(0, 1, 2)), seen.max(axis=(0, 1, 2))
        self._origin = low[[0, 2]] - 1.0
        self._cells = np.ceil((high - low + 2.0)[[0, 2]] / SHADOW_CELL).astype(int)
        self._row_stride = np.array([self._cells[1], 1])
        light = LIGHT / np.linalg.norm(LIGHT) @ camera.view_from_world
        self._slant = (light[[0, 2]] / light[1]).astype(np.float32)

        y, x = np.mgrid[0:height, 0:width] + 0.5
        rays = np.stack(
            [x - width / 2, height / 2 - y, np.full_like(x, -camera.focal * height)], -1
        )
        rays = rays @ camera.view_from_world
        drop = np.minimum(rays[..., 1], -1e-6)
        reach = (floor - camera.position[1]) / drop
        spots = camera.position[[0, 2]] + rays[..., [0, 2]] * reach[..., None]
        centre = ((low + high) / 2)[[0, 2]]
        extent = 1.5 + 0.5 * float(np.max(high - low))
        away = np.linalg.norm(spots - centre, axis=-1) / extent
        fade = np.exp(-0.5 * np.minimum(away, 20) ** 2) * (rays[..., 1] < 0)
        # A line stays about one pixel wide near and far, in both directions of the grid.
        pixel = np.abs(np.stack(np.gradient(spots, axis=(0, 1)))).max(axis=0) + 1e-9
        self._spots, self._pixel = spots.astype(np.float32), pixel.astype(np.float32)
        self._fade = fade[..., None].astype(np.float32)
        texels = (spots - self._origin) / SHADOW_CELL - 0.5
        corner = np.floor(texels).astype(int)
        inside = np.all((corner >= 0) & (corner < self._cells - 1), axis=-1) & (rays[..., 1] < 0)
        self._shadow_pixels = np.flatnonzero(inside)
        self._shadow_corners = corner[inside] @ self._row_stride
        self._shadow_fractions = (texels - corner)[inside].astype(np.float32)
        self._unmoved = self._plain(np.zeros(2))

    def shaded(self, vertices: Array, areas: Array, path: Array) -> Array:
        """(height, width, 3) the ground under vertices (V, 3) of areas (V,) m2.

        path  (3,) how far the world is moved back under the camera
        """
        height = np.maximum(vertices[:, 1] - self._floor, 0)
        flat = vertices[:, [0, 2]]
        contact = self._soft(flat, areas * np.exp(-height / 0.05), blur=2.2)
        cast = self._soft(flat - height[:, None] * self._slant, areas, blur=5.0)
        light = (1 - 0.42 * np.minimum(contact, 1.0)) * (1 - 0.16 * np.minimum(cast, 1.0))
        shaded = self._unmoved.copy() if not path.any() else self._plain(path[[0, 2]])
        shaded.reshape(-1, 3)[self._shadow_pixels] *= self._on_pixels(light)[:, None]
        return shaded

    def _plain(self, offset: Array) -> Array:
        """(height, width, 3) the floor without shadows, its grid moved back by offset (2,)."""
        places = (self._spots + offset.astype(np.float32)) / GRID
        off_line = np.abs(places - np.round(places)) * GRID
        # Lines that come as close as a few pixels would make a moire: they fade out before.
        strength = np.clip(GRID / self._pixel / 4 - 0.5, 0, 1)
        lines = np.clip(1.2 - off_line / self._pixel, 0, 1) * strength
        line = np.maximum(lines[..., 0], lines[..., 1])
        colour = FLOOR + (GRID_LINE - FLOOR) * line[..., None]
        plain: Array = SKY + (colour - SKY) * self._fade
        return plain

    def _soft(self, spots: Array, areas: Array, blur: float) -> Array:
        """Square metres of surface over each square metre of floor, (cells,), blurred."""
        texels = np.floor((spots - self._origin) / SHADOW_CELL).astype(int)
        inside = np.all((texels >= 0) & (texels < self._cells), axis=-1)
        cells = texels[inside] @ self._row_stride
        density = np.bincount(cells, areas[inside] / SHADOW_CELL**2, int(np.prod(self._cells)))
        grey = np.minimum(density * 32, 255).astype(np.uint8).reshape(self._cells)
        blurred = Image.fromarray(grey).filter(ImageFilter.GaussianBlur(blur))
        return np.asarray(blurred, np.float32).ravel() / 32

    def _on_pixels(self, texture: Array) -> Array:
        """Bilinear lookup of a texture (cells,) at the pixels that can be in shadow."""
        corner, (across, along) = self._shadow_corners, self._shadow_fractions.T
        near = texture[corner] * (1 - along) + texture[corner + 1] * along
        corner = corner + self._row_stride[0]
        far = texture[corner] * (1 - along) + texture[corner + 1] * along
        mixed: Array = near * (1 - across) + far * across
        return mixed


def _rasterised(
    pixels: Array, inverse_distance: Array, colours: Array, faces: IntArray, size: tuple[int, int]
) -> Array:
    """Z-buffer: the nearest face at each pixel, colours interpolated between its corners.

    pixels (V, 2), inverse_distance (V,), colours (V, 3) 0..255, faces (F, 3), size (width, height)
    returns  (height, width, 4): colours, and 1 where a face is, else 0
    Faces are handled in groups of one bounding-box size, each group as one array of candidates.
    """
    width, height = size
    corners = pixels[faces]
    sides = corners[:, 1:] - corners[:, :1]
    areas = sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0]
    one, two, three = corners[:, 0], corners[:, 1], corners[:, 2]
    lowest = np.minimum(np.minimum(one, two), three)  # quicker than corners.min(axis=1)
    highest = np.maximum(np.maximum(one, two), three)
    first = np.clip(np.ceil(lowest - 0.5), 0, size).astype(np.int64)
    last = np.clip(np.ceil(highest - 0.5), 0, size).astype(np.int64)
    extent = np.maximum(*(last - first).T)
    # The picture's y points down, so faces towards the viewer have a negative area.
    is_waiting = (areas < -1e-9) & (last[:, 0] > first[:, 0]) & (last[:, 1] > first[:, 1])
    nearest = np.zeros(height * width, np.float32)
    found: list[tuple[IntArray, IntArray, Array, Array]] = []
    bound = 1
    while np.any(is_waiting):
        chosen = np.flatnonzero(is_waiting & (extent <= bound))
        is_waiting[chosen] = False
        for group in np.array_split(chosen, 1 + len(chosen) * bound**2 // 400_000):
            origin = first[group, None] - corners[group, :1] + np.float32(0.5)
            row, down, along, mix = _covered(origin[:, 0], sides[group], areas[group], bound)
            x, y = first[group[row], 0] + along, first[group[row], 1] + down
            is_seen = (x < width) & (y < height)
            pixel, corner = (y * width + x)[is_seen], faces[group[row[is_seen]]]
            mix = mix[is_seen]
            depth: Array = np.einsum("pk,pk->p", mix, inverse_distance[corner]).astype(np.float32)
            np.maximum.at(nearest, pixel, depth)
            found.append((pixel, corner, mix, depth))
        bound = bound + 1 if bound < 4 else bound * 3 // 2
    picture = np.zeros((height * width, 4), np.float32)
    for pixel, corner, mix, depth in found:
        won = depth == nearest[pixel]
        picture[pixel[won], :3] = np.einsum("pk,pkc->pc", mix[won], colours[corner[won]])
        picture[pixel[won], 3] = 1
    return picture.reshape(height, width, 4)


def _covered(
    origin: Array, sides: Array, areas: Array, bound: int
) -> tuple[IntArray, IntArray, IntArray, Array]:
    """Which pixels of its bounding box each face covers.

    origin (n, 2) the first pixel's centre, seen from corner 0; sides (n, 2, 2) corners 1 and 2 seen
    from corner 0; areas (n,) their cross product; bound: pixels across and down to try
    returns  rows (m,) into the faces, pixels down and along from the first, barycentric (m, 3)
    """
    steps = np.arange(bound, dtype=np.float32)
    x = origin[:, 0, None, None] + steps
    y = origin[:, 1, None, None] + steps[:, None]
    (ax, ay), (bx, by) = (sides[:, i].T[..., None, None] for i in (0, 1))
    u = (x * by - y * bx) / areas[:, None, None]
    v = (y * ax - x * ay) / areas[:, None, None]
    row, down, along = np.nonzero((u >= 0) & (v >= 0) & (u + v <= 1))
    u, v = u[row, down, along], v[row, down, along]
    return row, down, along, np.stack([1 - u - v, u, v], axis=-1)


def _downsampled(picture: Array) -> Array:
    """Mean of each SUPERSAMPLING x SUPERSAMPLING square; slices are faster than np.mean."""
    mean = np.zeros((*np.array(picture.shape[:2]) // SUPERSAMPLING, 4), np.float32)
    for y in range(SUPERSAMPLING):
        for x in range(SUPERSAMPLING):
            mean += picture[y::SUPERSAMPLING, x::SUPERSAMPLING]
    mean /= SUPERSAMPLING**2
    return mean


def _write_text(image: Image.Image, caption: str, time_code: str) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(12, image.height // 26))
    margin = image.height // 30
    draw.text((margin, margin), caption, TEXT, font=font)
    draw.text((image.width - margin, margin), time_code, TEXT, font=font, anchor="ra")


def _rgb(colour: Array) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue
