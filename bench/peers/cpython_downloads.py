"""CPython's ways to download, with httpx: the peers that the bench of downloads puts beside ours.

    cpython_downloads.py sequential|threads|processes|asyncio AT_ONCE BASE_URL FOLDER < CODES

Country codes come one per line on stdin; each image BASE_URL/cc/cc.gif goes to FOLDER/CC.gif.
AT_ONCE is the number of threads, processes or requests; sequential takes no notice of it. Each way
keeps its connections: a call of httpx.get for each image would spend most of its time on a new TLS
context, which here nobody needs. Prints how many images there were.
"""

import asyncio
import pathlib
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import httpx

TIMEOUT = 6.1  # seconds; that of our programs


def options(at_once):
    return {"timeout": TIMEOUT, "follow_redirects": True, "trust_env": False,
            "limits": httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)}


class Site:
    """What a worker needs: where the images are, where they go, and the connections."""

    def __init__(self, base_url, folder, at_once):
        self.base_url, self.folder = base_url, pathlib.Path(folder)
        self.client = httpx.Client(**options(at_once))

    def download(self, code):
        response = self.client.get(url_of(self.base_url, code))
        response.raise_for_status()
        save(self.folder, code, response.content)
        return code


def url_of(base_url, code):
    return f"{base_url}/{code}/{code}.gif".lower()


def save(folder, code, image):
    (folder / f"{code}.gif").write_bytes(image)


def in_process(base_url, folder):
    in_process.site = Site(base_url, folder, 1)


def download_in_process(code):
    return in_process.site.download(code)


def by_processes(codes, at_once, *where):
    with ProcessPoolExecutor(at_once, initializer=in_process, initargs=where) as pool:
        return list(pool.map(download_in_process, codes))


def by_threads(codes, at_once, *where):
    site = Site(*where, at_once)  # one is safe for all threads
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(site.download, codes))


def sequentially(codes, _, *where):
    return list(map(Site(*where, 1).download, codes))


async def by_asyncio(codes, at_once, base_url, folder):
    turns = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(**options(at_once)) as client:

        async def download(code):
            async with turns:
                response = await client.get(url_of(base_url, code))
                response.raise_for_status()
                save(pathlib.Path(folder), code, response.content)
                return code

        return await asyncio.gather(*map(download, codes))


def main():
    mode, at_once, *where = sys.argv[1:]
    codes = sys.stdin.read().split()
    if mode == "asyncio":
        done = asyncio.run(by_asyncio(codes, int(at_once), *where))
    else:
        run = {"sequential": sequentially, "threads": by_threads, "processes": by_processes}[mode]
        done = run(codes, int(at_once), *where)
    print(len(done))


if __name__ == "__main__":
    main()
