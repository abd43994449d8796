"""The CCTV adapter: RTSP, webcams, files and folders into a deployment."""
