"""Starts ministack, an emulator of AWS, with those of its answers replaced in which it falls short of Amazon ECR.

Does not know what is tested. Every replacement names the behaviour of ECR that it restores; the sources are the ECR
API reference's pages of the three actions. The address and the account come from ministack's own variables.

What differs and is left as it is, so that nothing may be concluded from it here:

- A push sends no event to EventBridge; the test sends the events itself.
- IAM policies, throttling and encryption keys are not enforced.
- BatchGetImage ignores `acceptedMediaTypes`; ECR may translate a manifest that is asked for by tag alone.
- A tag that no image has, asked for beside a digest, is not noticed; what ECR answers then is not documented.
- GetDownloadUrlForLayer hands out an address for blobs that are not there; ECR answers LayersNotFoundException.
- SNS: message attributes of the type `String.Array` are delivered, but its limits of size and count are not checked.
"""

import hashlib
import json
import os

from ministack import app
from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

# What follows the question mark stands for the signature of a presigned address, which is a secret.
SIGNATURE = os.environ["EMULATOR_SIGNATURE"]

ministack_batch_get_image = ecr._batch_get_image
ministack_get_download_url_for_layer = ecr._get_download_url_for_layer
ministack_put_image = ecr._put_image


def batch_get_image(data):
    """ECR: a digest and a tag in one identifier must belong together, else ImageTagDoesNotMatchDigest; and the answer
    names an image as it was asked for, not by the tag that was set last."""
    status, headers, body = ministack_batch_get_image({**data, "imageIds": []})
    if status != 200:
        return status, headers, body
    images, failures = [], []
    for asked in data.get("imageIds", []):
        if is_moved(data["repositoryName"], asked):
            reason = "Requested image tag does not match the requested digest"
            failures.append(
                {"imageId": asked, "failureCode": "ImageTagDoesNotMatchDigest", "failureReason": reason}
            )
            continue
        _, _, body = ministack_batch_get_image({**data, "imageIds": [asked]})
        answer = json.loads(body)
        for image in answer["images"]:
            image["imageId"] = {"imageDigest": image["imageId"]["imageDigest"], **asked}
        images += answer["images"]
        failures += answer["failures"]
    return json_response({"images": images, "failures": failures})


def is_moved(repository, asked):
    digest, tag = asked.get("imageDigest"), asked.get("imageTag")
    holder = ecr._find_image(repository, {"imageTag": tag}) if digest and tag else None
    return holder is not None and holder["imageDigest"] != digest


def get_download_url_for_layer(data):
    """ECR: the address leads to the blob, and whoever has it may read the blob; ministack's leads nowhere."""
    status, headers, body = ministack_get_download_url_for_layer(data)
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    repository, digest = data["repositoryName"], data["layerDigest"]
    host, port = os.environ["BIND_HOST"], os.environ["GATEWAY_PORT"]
    answer["downloadUrl"] = f"http://{host}:{port}/v2/{repository}/blobs/{digest}?X-Amz-Signature={SIGNATURE}"
    return json_response(answer)


def put_image(data):
    """ECR: a digest that is not the manifest's, a manifest of no known type, and a tag that the very image has already
    are refused; ministack stores whatever it is given. Where tags are immutable it refuses any that is there, whichever
    image has it, and so does ECR: <https://github.com/aws/containers-roadmap/issues/2179>."""
    manifest, digest, tag = data.get("imageManifest", ""), data.get("imageDigest"), data.get("imageTag")
    actual = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
    if digest and digest != actual:
        said = f"The provided digest '{digest}' does not match the manifest's, '{actual}'"
        return error_response_json("ImageDigestDoesNotMatchException", said, 400)
    if not data.get("imageManifestMediaType") and not json.loads(manifest).get("mediaType"):
        return error_response_json("InvalidParameterException", "The manifest's media type is not known", 400)
    repository = data.get("repositoryName", "")
    mutable = ecr._repositories.get(repository, {}).get("imageTagMutability") == "MUTABLE"
    holder = ecr._find_image(repository, {"imageTag": tag}) if tag and mutable else None
    if holder is not None and holder["imageDigest"] == actual:
        said = f"Image with digest '{actual}' and tag '{tag}' already exists"
        return error_response_json("ImageAlreadyExistsException", said, 400)
    return ministack_put_image(data)


ecr._batch_get_image = batch_get_image
ecr._get_download_url_for_layer = get_download_url_for_layer
ecr._put_image = put_image

if __name__ == "__main__":
    app.main()
