# The management server of the compose example: ours, on the go-control-plane library.
FROM golang:1.26-bookworm AS build
WORKDIR /build
COPY test/interop/go-control-plane/go.mod test/interop/go-control-plane/go.sum ./
RUN go mod download
COPY test/interop/go-control-plane ./
RUN CGO_ENABLED=0 go build -o /go-control-plane .

FROM scratch
COPY --from=build /go-control-plane /go-control-plane
USER 1000:1000
ENTRYPOINT ["/go-control-plane"]
