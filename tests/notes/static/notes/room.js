// In a file of its own: the product's policy lets no script stand in a page.
const roomName = JSON.parse(document.getElementById('room-name').textContent);

function happened(name) {
    document.querySelector('#events').append(Object.assign(document.createElement('li'), {textContent: name}));
}

const chatSocket = new WebSocket(
    'ws://' + window.location.host
    + '/ws/chat/'
    + roomName
    + '/'
);

chatSocket.onopen = function(e) {
    happened('open');
};

chatSocket.onmessage = function(e) {
    const data = JSON.parse(e.data);
    document.querySelector('#chat-log').value += (data.message + '\n');
};

chatSocket.onerror = function(e) {
    happened('error');
};

chatSocket.onclose = function(e) {
    happened('close ' + e.code);
    console.error('Chat socket closed unexpectedly');
};

document.querySelector('#chat-message-submit').onclick = function(e) {
    const message = document.querySelector('#chat-message-input').value;
    chatSocket.send(JSON.stringify({
        'message': message
    }));
};
